//! `towpath check --connect`: a line for each source and sink, which says what to do.

use std::time::Duration;

use simulator::{Access, Answer, Faults, Postman, RateLimitHeaders};

use crate::simulated::{Api, Place, keys};

fn api(faults: Faults, events: usize) -> Api {
    Api::start(Postman::builder().events(events).faults(faults))
}

/// The line of the source; the exit status is as the line says, and the sink has its line in any case.
#[track_caller]
fn line(source: &str) -> String {
    let said = Place::new(source).towpath(&["check", "--connect"]);
    let line = said.out.lines().find(|line| line.contains(" source postman: ")).unwrap_or_else(|| {
        panic!("no line for the source: {}{}", said.out, said.err);
    });
    assert_eq!(said.status, Some(i32::from(line.starts_with("FAILED"))), "{line}\n{}", said.err);
    assert!(said.out.contains("ok      sink archive: can be written"), "{}", said.out);
    line.to_owned()
}

#[track_caller]
fn holds(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
}

#[test]
fn what_a_person_must_mend_is_told_with_its_remedy_and_never_called_passing() {
    let second = Duration::from_secs(1);
    let with = |access| api(Faults { access, ..Faults::none() }, 3);
    let scripted = |answer| {
        let api = api(Faults::none(), 3);
        api.postman.script([answer]);
        api
    };
    let wrong_key = api(Faults::none(), 3);
    wrong_key.postman.refuse_key();
    for (api, parts) in [
        (wrong_key, &["Postman answers 401: ", "; put a valid key into `api_key`"][..]),
        (with(Access::NoAdminRights), &["Postman answers 403: ", "; use the key of a Team Admin"]),
        (with(Access::NoPlan), &["Postman answers 403: ", "; audit logs need Postman's Enterprise plan"]),
        (with(Access::WrongRegion), &["Postman answers 403: ", "`url` of the team's region"]),
        (scripted(Answer::Status(404)), &["Postman answers 404", "; check `url`"]),
        (scripted(Answer::Redirect), &["redirects to http://127.0.0.1:", "set `url` to it"]),
        (scripted(Answer::HtmlWithStatus200), &["answer is not JSON", "check `url` and `proxy`"]),
        (scripted(Answer::NoTrails), &["answer has no `trails` array", "check `url` and `proxy`"]),
        (scripted(Answer::QuotaExhausted), &["serviceLimitExhausted", "monthly API quota is used up"]),
    ] {
        let line = line(&keys(&api));
        holds(&line, parts);
        assert!(line.starts_with("FAILED  source postman: ") && !line.contains("for the moment"), "{line}");
    }

    let api = api(Faults::none(), 3);
    let tls = keys(&api).replace("http://", "https://");
    let refused = format!("{}, proxy: 'http://127.0.0.1:1'", keys(&api));
    for (source, parts) in [
        (tls, &["TLS with https://127.0.0.1:", "does not speak TLS", "check scheme and port of `url`"][..]),
        (refused, &["no connection to http://127.0.0.1:1: ", "firewall or proxy"]),
        (
            "api_key: PMAK-1, url: 'http://127.0.0.1:1'".to_owned(),
            &["no connection to http://127.0.0.1:1: ", "check host and port"],
        ),
    ] {
        let line = line(&source);
        holds(&line, parts);
        assert!(line.starts_with("FAILED  source postman: ") && !line.contains("for the moment"), "{line}");
    }

    let too_many = Answer::TooManyRequests(RateLimitHeaders::RetryAfterSeconds, 7 * second);
    for (answer, part) in [
        (Answer::Status(500), "for the moment: Postman answers 500"),
        (Answer::Status(503), "for the moment: Postman answers 503"),
        (too_many, "for the moment: Postman asks to come again later; try again in 7 s"),
        (Answer::Hang(60 * second), "for the moment: no answer from http://127.0.0.1:"),
        (Answer::Reset, "for the moment: http://127.0.0.1:"),
    ] {
        let api = scripted(answer);
        let line = line(&keys(&api).replace("timeout: 5s", "timeout: 1s"));
        holds(&line, &["FAILED  source postman: ", part]);
    }
}

#[test]
fn what_a_good_key_shows_is_told_with_what_to_do() {
    let good = api(Faults::none(), 50);
    holds(
        &line(&keys(&good)),
        &["ok ", "accepts the key of team ", "newest entry is of 20", "a few minutes after the action"],
    );
    let empty = api(Faults::none(), 0);
    holds(
        &line(&keys(&empty)),
        &["ok ", "no entry of the last 30 days yet", "do something that is logged", "check again"],
    );
    let forgetful = api(Faults { retention: Duration::from_secs(7 * 86_400), ..Faults::none() }, 50);
    holds(&line(&keys(&forgetful)), &["ok ", "newest entry is of 20"]);
    holds(
        &line(&format!("{}, start: 400d", keys(&good))),
        &["ok ", "`start` is before what Postman keeps: collection begins at 20"],
    );
    good.postman.script([Answer::ClockSlow(Duration::from_secs(630))]);
    holds(&line(&keys(&good)), &["ok ", "this machine's clock is 10 minutes ahead of Postman's: correct it"]);
}

#[test]
fn a_sink_that_cannot_be_used_is_told_with_its_remedy() {
    let api = api(Faults::none(), 3);
    let place = Place::new(&keys(&api));
    std::fs::create_dir(place.path("directory")).expect("a directory");
    for (sink, parts) in [
        ("type: file, path: ./directory", &["is a directory, not a file; ", "name a file in `path`"][..]),
        (
            "type: http, url: 'http://127.0.0.1:1/in'",
            &["no connection to http://127.0.0.1:1: ", "; check host and port"],
        ),
    ] {
        place.configure(&keys(&api), sink);
        let said = place.towpath(&["check", "--connect"]);
        assert_eq!(said.status, Some(1), "{}{}", said.out, said.err);
        let line =
            said.out.lines().find(|line| line.starts_with("FAILED  sink archive: ")).unwrap_or_default();
        holds(line, parts);
        assert!(!line.contains("for the moment"), "{line}");
        assert!(said.out.contains("ok      source postman: "), "{}", said.out);
        assert!(said.err.contains("1 of the sources and sinks cannot be used"), "{}", said.err);
    }
}
