//! The text format of Prometheus, version 0.0.4, read strictly: what a lenient reader forgives is an error here.

use std::collections::BTreeMap;

/// What `/metrics` said.
#[derive(Debug, Default)]
pub(super) struct Scrape {
    pub(super) families: BTreeMap<String, Family>,
}

/// One metric. Of a histogram `series` has the counts; its buckets and sums were checked and are not kept.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) series: Vec<Series>,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// A line with a value.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Scrape {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        let mut scrape = Self::default();
        let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
        while let Some(line) = lines.next() {
            let help =
                line.strip_prefix("# HELP ").ok_or(format!("a metric begins with its help: {line}"))?;
            let (name, help) = help.split_once(' ').ok_or(format!("no help: {line}"))?;
            let line = lines.next().unwrap_or_default();
            let kind =
                line.strip_prefix(&format!("# TYPE {name} ")).ok_or(format!("no type of {name}: {line}"))?;
            let mut samples = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                samples.push(sample(line).ok_or(format!("no sample: {line}"))?);
            }
            let family = family(name, kind, help, samples).map_err(|error| format!("{name}: {error}"))?;
            if scrape.families.insert(name.to_owned(), family).is_some() {
                return Err(format!("{name} stands in two places"));
            }
        }
        Ok(scrape)
    }

    /// The value of the series with exactly these labels.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut series = self.families.get(name)?.series.iter();
        let is_it = |series: &&Series| {
            series.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| {
                    series
                        .labels
                        .iter()
                        .any(|(other, text)| (other.as_str(), text.as_str()) == (*label, *value))
                })
        };
        series.find(is_it).map(|series| series.value)
    }
}

fn family(name: &str, kind: &str, help: &str, samples: Vec<Sample>) -> Result<Family, String> {
    if samples.is_empty() {
        return Err("no sample".into());
    }
    let series = match kind {
        "histogram" => histogram(name, samples)?,
        "counter" | "gauge" => {
            let mut series = Vec::new();
            for Sample { name: of, labels, value } in samples {
                if of != name {
                    return Err(format!("{of} stands among its samples"));
                }
                if kind == "counter" && (!name.ends_with("_total") || value < 0.0) {
                    return Err(format!("no counter: {value}"));
                }
                series.push(Series { labels, value });
            }
            series
        }
        kind => return Err(format!("unknown type {kind}")),
    };
    for (n, one) in series.iter().enumerate() {
        if series[..n].iter().any(|other| other.labels == one.labels) {
            return Err(format!("twice {:?}", one.labels));
        }
    }
    Ok(Family { kind: kind.to_owned(), help: help.to_owned(), series })
}

/// Buckets in order up to `+Inf`, none smaller than the one before; then the sum; then the count, which is the last
/// bucket's.
fn histogram(name: &str, samples: Vec<Sample>) -> Result<Vec<Series>, String> {
    let mut series = Vec::new();
    let mut samples = samples.into_iter().peekable();
    while samples.peek().is_some() {
        let mut last = (f64::NEG_INFINITY, 0.0);
        let mut of = None;
        while let Some(mut bucket) = samples.next_if(|sample| sample.name == format!("{name}_bucket")) {
            let (label, bound) = bucket.labels.pop().ok_or("a bucket without a bound")?;
            let bound = number(&bound).filter(|_| label == "le").ok_or("a bucket without a bound")?;
            if bound <= last.0 || bucket.value < last.1 {
                return Err(format!("buckets out of order at {bound}"));
            }
            if of.get_or_insert_with(|| bucket.labels.clone()) != &bucket.labels {
                return Err("buckets of several series mixed".into());
            }
            last = (bound, bucket.value);
        }
        let (Some(sum), Some(count)) = (samples.next(), samples.next()) else { return Err("cut".into()) };
        let complete = sum.name == format!("{name}_sum")
            && count.name == format!("{name}_count")
            && of.as_ref() == Some(&sum.labels)
            && sum.labels == count.labels;
        if !complete || last != (f64::INFINITY, count.value) {
            return Err(format!("not a whole histogram: {last:?}, count {}", count.value));
        }
        series.push(Series { labels: count.labels, value: count.value });
    }
    Ok(series)
}

/// `name{label="value",…} number`
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = number(value)?;
    let (name, mut rest) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let mut labels: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (text, after) = unquote(quoted)?;
        if !is_name(label) || labels.iter().any(|(other, _)| other == label) {
            return None;
        }
        labels.push((label.to_owned(), text));
        rest = match after {
            "" => "",
            after => after.strip_prefix(',').filter(|rest| !rest.is_empty())?,
        };
    }
    (is_name(name) && !value.is_nan()).then(|| Sample { name: name.to_owned(), labels, value })
}

/// The text up to the closing quote, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            c => text.push(c),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        text => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total What it says\n# TYPE a_total counter\na_total{b=\"x\\\"y\",c=\"}, \"} 3\n\n\
                # HELP h Times\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\n";
    let scrape = Scrape::read(good).expect("valid");
    assert_eq!(scrape.value("a_total", &[("c", "}, "), ("b", "x\"y")]), Some(3.0));
    assert_eq!((scrape.value("h", &[]), scrape.value("a_total", &[])), (Some(2.0), None));
    for (part, with) in [
        ("} 3", "} x"),
        ("} 3", "} NaN"),
        ("} 3", "} -3"),
        ("a_total{", "b_total{"),
        ("a_total{b=\"x\\\"y\",c", "a_total{b=\"x\\\"y\",b"),
        ("c=\"}, \"", "c=\"}, "),
        ("c=\"}, \"", "c=\"}, \","),
        ("\\\"", "\\t"),
        ("# TYPE a_total counter\n", ""),
        ("# TYPE a_total counter", "# TYPE a_total summary"),
        ("# HELP h Times", "# HELP a_total Times"),
        ("h_bucket{le=\"1\"} 1", "h_bucket{le=\"1\"} 3"),
        ("h_bucket{le=\"+Inf\"} 2\n", ""),
        ("h_count 2\n", "h_count 3\n"),
        ("h_count 2\n", "h_count 2"),
        ("h_sum 3.5\n", ""),
    ] {
        let bad = good.replacen(part, with, 1);
        assert_ne!(bad, good, "{part}");
        assert!(Scrape::read(&bad).is_err(), "{bad}");
    }
    let twice = good.replacen("\n\n", "\na_total{b=\"x\\\"y\",c=\"}, \"} 4\n\n", 1);
    assert!(Scrape::read(&twice).is_err(), "{twice}");
}
