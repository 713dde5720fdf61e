//! A reply that is no answer, or none at all, in a user's words.

use super::checks::{Checked, Repeats};
use crate::config::Server;
use crate::error::{Error, Problem, Status};
use crate::http::{Failure, Reply};
use crate::problem::{self, is_api_videos, json, presentable};

/// Of a list of problems, so many are told in the message.
const MOST_TOLD: usize = 5;

/// What a reply means that is no success, or whose body did not come.
pub(crate) fn of(reply: &Reply, server: &Server, request: &Checked, secrets: &[&str]) -> Error {
    with(reply, server, request, request.repeats(), secrets)
}

/// The same, of a request that does no harm when it is made again, whatever its method.
pub(crate) fn of_harmless(
    reply: &Reply,
    server: &Server,
    request: &Checked,
    secrets: &[&str],
) -> Error {
    with(reply, server, request, Repeats::Freely, secrets)
}

fn with(
    reply: &Reply,
    server: &Server,
    request: &Checked,
    repeats: Repeats,
    secrets: &[&str],
) -> Error {
    let http = reply.status;
    let status = match (http, &reply.body) {
        (200..=299, Err(why)) => return broken_off(http, why, repeats),
        (429, _) => Status::RateLimited,
        (408 | 500..=599, _) => Status::ServerError,
        (401, Ok(body)) if !body.is_empty() && !is_api_videos(&json(body)) => Status::ProtocolError,
        (400..=499, _) => Status::RequestRejected,
        _ => Status::ProtocolError,
    };
    let problem = problem::of(reply, secrets);
    let what = match (status, http) {
        (_, 407) => format!(
            "A proxy before {server} asks who you are; put user and password into the proxy's URL"
        ),
        (Status::RateLimited, _) => format!("{server} asks to slow down"),
        (Status::ServerError, _) => format!("{server}, or a gateway before it, has a problem"),
        (Status::ProtocolError, 401) => refused_by_another(server),
        (Status::RequestRejected, _) if problem == Problem::default() => refused_by_another(server),
        (Status::RequestRejected, _) => format!("{server} refused the request"),
        _ => format!(
            "The answer from {server} is none that the API documents (redirects are not followed)"
        ),
    };
    let asked = asked(request, secrets);
    let said = match &reply.body {
        Err(why) => format!(": {}", why.message.trim_end_matches('.')),
        Ok(_) => said(&problem),
    };
    let error = Error {
        status,
        message: format!("{what} ({asked}, HTTP {http}{said})."),
        http_status: Some(http),
        problem: Box::new(problem),
        retry_after_ms: reply.asked_ms(),
        may_be_done: false,
    };
    match http {
        // Refused: nothing was done.
        400..=407 | 409..=499 => error,
        _ => perhaps_done(error, repeats),
    }
}

fn refused_by_another(server: &Server) -> String {
    format!(
        "The request to {server} was refused, but not in api.video's words; check the base URL and \
         what stands in between, such as a proxy, a firewall or a sign-in page"
    )
}

/// The error of a request of which nobody knows whether it was carried out.
fn perhaps_done(mut error: Error, repeats: Repeats) -> Error {
    if repeats == Repeats::Never {
        error.message += " The request may have been carried out: look before you send it again.";
        error.may_be_done = true;
    }
    error
}

/// What it means that a request succeeded, and its answer did not come.
fn broken_off(http: u16, why: &Error, repeats: Repeats) -> Error {
    let mut error = why.clone();
    error.http_status = Some(http);
    if repeats != Repeats::Freely {
        error.message += " The request was carried out: do not send it again.";
        error.may_be_done = true;
    }
    error
}

/// What it means that there is no reply. `is_late`: the caller's time is over.
pub(crate) fn of_failure(failure: Failure, request: &Checked, is_late: bool) -> Error {
    let mut error = failure.error;
    if is_late && error.status == Status::Timeout {
        "No complete reply within the wait timeout.".clone_into(&mut error.message);
    }
    match failure.sent {
        true => perhaps_done(error, request.repeats()),
        false => error,
    }
}

/// Method and path, without the query.
fn asked(request: &Checked, secrets: &[&str]) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    format!("{} {}", request.method, presentable(path, secrets))
}

/// The server's own words, after a colon.
fn said(problem: &Problem) -> String {
    let faults = problem.problems.iter().take(MOST_TOLD);
    let faults = faults.map(|fault| one(&fault.name, &fault.title));
    let title = one(&problem.name, &problem.title);
    let all = [title, problem.detail.clone()].into_iter().chain(faults);
    let mut told: Vec<String> = Vec::new();
    for words in all.filter(|words| !words.is_empty()) {
        // A list often repeats what is said above it.
        if !told.contains(&words) {
            told.push(words);
        }
    }
    match told.is_empty() {
        true => String::new(),
        false => format!(": {}", told.join("; ")),
    }
}

/// What is at fault, and why.
fn one(name: &str, title: &str) -> String {
    let title = title.trim_end_matches('.');
    match (name.is_empty(), title.is_empty()) {
        (true, _) => title.to_owned(),
        (false, true) => name.to_owned(),
        (false, false) => format!("{name}: {title}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::http::{Headers, Waits};

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: Headers::default(),
            waits: Waits {
                rate_limit_ms: Some(42_000),
                retry_after_ms: None,
            },
            body: Ok(body.as_bytes().to_vec()),
            kept: false,
            kept_silent: false,
        }
    }

    fn refusal(status: u16, body: &str) -> Error {
        let request = Checked::new("POST", "/videos/vi1?a=b", None).unwrap();
        let server = Config::default().server();
        of(&reply(status, body), &server, &request, &["hush-hush"])
    }

    const PROBLEM: &str = r#"{"type":"https://docs.api.video/reference/attributes","title":"Two hush-hush faults.",
        "name":null,"detail":"See below.","problems":[
        {"type":"https://docs.api.video/reference/a","title":"It is required.","name":"title"},
        {"title":"It is no array.","name":"tags"}]}"#;

    #[test]
    fn each_status_has_its_meaning() {
        for (http, status) in [
            (101, Status::ProtocolError),
            (302, Status::ProtocolError),
            (304, Status::ProtocolError),
            (400, Status::RequestRejected),
            (401, Status::RequestRejected),
            (404, Status::RequestRejected),
            (407, Status::RequestRejected),
            (408, Status::ServerError),
            (429, Status::RateLimited),
            (499, Status::RequestRejected),
            (500, Status::ServerError),
            (599, Status::ServerError),
            (600, Status::ProtocolError),
        ] {
            let error = refusal(http, "");
            assert_eq!((error.status, error.http_status), (status, Some(http)));
        }
        assert_eq!(refusal(429, "").retry_after_ms, Some(42_000));
        assert_eq!(refusal(503, "").retry_after_ms, None);
    }

    #[test]
    fn a_refusal_has_the_problem_with_each_of_its_faults_and_no_secret() {
        let error = refusal(400, PROBLEM);
        assert_eq!(
            error.message,
            "api.video's production (ws.api.video) refused the request (POST /videos/vi1, HTTP 400: \
             Two [redacted] faults; See below.; title: It is required; tags: It is no array)."
        );
        let problem = error.problem;
        assert_eq!(problem.kind, "https://docs.api.video/reference/attributes");
        assert_eq!(
            (problem.title.as_str(), problem.name.as_str()),
            ("Two [redacted] faults.", "")
        );
        assert_eq!(problem.detail, "See below.");
        let [first, second] = &problem.problems[..] else {
            panic!("two faults");
        };
        assert_eq!(first.kind, "https://docs.api.video/reference/a");
        assert_eq!(
            (first.name.as_str(), second.name.as_str()),
            ("title", "tags")
        );
        assert_eq!(second.title, "It is no array.");
    }

    #[test]
    fn what_is_not_api_videos_is_called_so() {
        let page = refusal(403, "<html><title>Forbidden</title></html>").message;
        assert!(page.contains("check the base URL"), "{page}");
        assert!(page.ends_with("(POST /videos/vi1, HTTP 403)."), "{page}");
        let proxy = refusal(407, "").message;
        assert!(proxy.contains("into the proxy's URL"), "{proxy}");
    }

    #[test]
    fn a_good_reply_whose_body_did_not_come_is_what_kept_it() {
        let why = || Error::new(Status::Timeout, "No complete reply.");
        let of = |method, status| {
            let half = Reply {
                body: Err(why()),
                ..reply(status, "")
            };
            let request = Checked::new(method, "/videos", None).unwrap();
            of(&half, &Config::default().server(), &request, &[])
        };
        let posted = of("POST", 201).message;
        assert!(
            posted.ends_with("was carried out: do not send it again."),
            "{posted}"
        );
        for (method, is_retryable) in [
            ("GET", true),
            ("HEAD", true),
            ("DELETE", false),
            ("POST", false),
        ] {
            assert_eq!(of(method, 200).is_retryable(), is_retryable, "{method}");
        }
        let of = |status| of("GET", status);
        assert_eq!(
            (of(200).status, of(200).http_status),
            (Status::Timeout, Some(200))
        );
        let refused = of(404);
        assert_eq!(refused.status, Status::RequestRejected);
        assert!(
            refused.message.ends_with("HTTP 404: No complete reply)."),
            "{refused}"
        );
    }

    #[test]
    fn who_may_have_done_something_is_told_so() {
        let words = |method, sent, is_late| {
            let failure = Failure {
                error: Error::new(Status::Timeout, "No reply."),
                sent,
                kept: false,
            };
            let request = Checked::new(method, "/videos", None).unwrap();
            of_failure(failure, &request, is_late).message
        };
        assert_eq!(words("GET", true, false), "No reply.");
        assert_eq!(words("POST", false, false), "No reply.");
        let may_be_done = words("POST", true, false);
        assert!(
            may_be_done.contains("may have been carried out"),
            "{may_be_done}"
        );
        assert!(words("GET", true, true).contains("within the wait timeout"));
    }

    #[test]
    fn a_request_that_may_have_been_carried_out_is_not_to_be_repeated() {
        let of = |method, status| {
            let request = Checked::new(method, "/videos", None).unwrap();
            of(
                &reply(status, PROBLEM),
                &Config::default().server(),
                &request,
                &[],
            )
        };
        for status in [101, 302, 303, 408, 500, 502, 503, 504, 599, 600] {
            for (method, is_told) in [
                ("POST", true),
                ("PATCH", true),
                ("PUT", false),
                ("GET", false),
            ] {
                let error = of(method, status);
                assert_eq!(error.is_retryable(), !is_told, "{method} {status}");
                let told = error.message.contains("may have been carried out");
                assert_eq!(told, is_told, "{method} {status}: {error}");
            }
        }
        for status in [400, 401, 404, 409, 422, 429] {
            let error = of("POST", status);
            assert!(!error.may_be_done, "{error}");
            assert!(!error.message.contains("carried out"), "{error}");
        }
        assert!(of("POST", 429).is_retryable());
    }

    #[test]
    fn a_401_that_is_not_api_videos_is_somebody_else_s() {
        for body in ["<html>Sign in</html>", r#"{"message":"Unauthorized"}"#] {
            let error = refusal(401, body);
            assert_eq!(error.status, Status::ProtocolError, "{body}");
            assert!(error.message.contains("check the base URL"), "{error}");
            assert!(!error.may_be_done, "{body}");
        }
    }
}
