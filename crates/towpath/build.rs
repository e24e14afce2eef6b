//! Puts the recipes of `config/recipes` into the binary, and the functions of its start side by side.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../config/recipes");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut code = String::from(
        "/// The recipes of `audit_logs`, by name.\npub(crate) const RECIPES: &[(&str, &str)] = &[\n",
    );
    for file in files {
        let name = file.file_stem().and_then(|name| name.to_str()).ok_or("a name that is not UTF-8")?;
        let path = fs::canonicalize(&file)?;
        writeln!(code, "    ({name:?}, include_str!({path:?})),")?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("recipes.rs"), code)?;
    order_functions()
}

/// What an idle process holds is mostly the pages of its program that the start has touched (ADR 0019).
fn order_functions() -> Result<(), Box<dyn Error>> {
    let order = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("startup.ld");
    println!("cargo::rerun-if-changed={}", order.display());
    let is_written = fs::metadata(&order)?.len() > 0;
    if is_written && env::var("PROFILE")? == "release" && env::var("TARGET")? == "x86_64-unknown-linux-gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", order.display());
    }
    Ok(())
}
