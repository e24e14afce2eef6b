//! The table of hazards in `docs/testing-collectors.md` is that of the code.

use std::path::Path;

use hazards::{Shown, hazards};

const BEGIN: &str = "<!-- hazards -->\n";
const END: &str = "<!-- end of hazards -->\n";

fn table() -> String {
    let mut table = String::from(
        "\n| hazard | what happens | who falls for it loses | `simulate` |\n|---|---|---|---|\n",
    );
    for hazard in hazards() {
        let shown = if hazard.shown == Shown::Not { "" } else { "yes" };
        table += &format!("| `{}` | {} | {} | {shown} |\n", hazard.name, hazard.does, hazard.loses);
    }
    table + "\n"
}

/// `UPDATE_EXPECT=1` rewrites it.
#[test]
fn the_documented_table_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/testing-collectors.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(kept, table(), "docs/testing-collectors.md is stale: `make docs` rewrites it");
    }
}
