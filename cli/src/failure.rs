//! Why a command failed: in words for a person, as JSON for a script, as an exit status for a shell.

use std::io;
use std::process::ExitCode;

use apivideo::{Error, Problem, Status};
use serde_json::{Value, json};

use crate::output;

pub(crate) enum Failure {
    Library(Error),
    Usage(String),
    Output(io::Error),
    /// By Ctrl-C, with what to say about it.
    Interrupted(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Output(why) if has_gone(why) => 141,
            Failure::Output(_) => 1,
            _ => exit_status(&self.as_error()),
        })
    }

    pub(crate) fn tell(&self, as_json: bool) {
        match self {
            Failure::Output(why) if has_gone(why) => {}
            _ if as_json => output::note(&in_json(&self.as_error()).to_string()),
            Failure::Interrupted(what_next) => output::note(what_next),
            _ => output::note(&format!("error: {}", self.as_error())),
        }
    }

    fn as_error(&self) -> Error {
        match self {
            Failure::Library(error) => error.clone(),
            Failure::Usage(message) => Error::new(Status::InvalidArgument, message),
            Failure::Interrupted(message) => Error::new(Status::Cancelled, message),
            Failure::Output(why) => Error {
                may_be_done: true,
                ..Error::new(
                    Status::SystemError,
                    format!("The output cannot be written: {why}."),
                )
            },
        }
    }
}

fn in_json(error: &Error) -> Value {
    json!({"error": {
        "status": error.status.describe(),
        "httpStatus": error.http_status,
        "retryable": error.is_retryable(),
        "retryAfterMs": error.retry_after_ms,
        "message": error.message,
        "problem": (*error.problem != Problem::default()).then(|| problem(&error.problem)),
    }})
}

fn problem(of: &Problem) -> Value {
    json!({
        "type": of.kind,
        "title": of.title,
        "name": of.name,
        "detail": of.detail,
        "problems": of.problems.iter().map(problem).collect::<Vec<Value>>(),
    })
}

/// A program such as `head` has read what it wanted.
fn has_gone(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::BrokenPipe
}

fn exit_status(error: &Error) -> u8 {
    match error.status {
        _ if error.may_be_done => 6,
        Status::InvalidArgument | Status::NullArgument | Status::InvalidUtf8 => 2,
        Status::KeyRejected
        | Status::RefreshRejected
        | Status::TokenRejected
        | Status::RequestRejected => 3,
        Status::FileError => 4,
        Status::RateLimited
        | Status::ServerError
        | Status::ProtocolError
        | Status::NetworkError
        | Status::TlsError
        | Status::Timeout => 5,
        Status::Cancelled => 130,
        _ => 1,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Library(error)
    }
}

impl From<io::Error> for Failure {
    fn from(why: io::Error) -> Failure {
        Failure::Output(why)
    }
}
