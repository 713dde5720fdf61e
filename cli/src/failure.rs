//! Why a command failed: in words for a person, as JSON for a script, as an exit status for a shell.

use std::io;
use std::process::ExitCode;

use apivideo::{Error, Status};
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
            Failure::Library(error) if may_be_done(error) => 6,
            Failure::Library(error) => exit_status(error.status),
            Failure::Usage(_) => 2,
            Failure::Output(why) if has_gone(why) => 141,
            Failure::Output(_) => 1,
            Failure::Interrupted(_) => 130,
        })
    }

    pub(crate) fn tell(&self, as_json: bool) {
        match self {
            Failure::Output(why) if has_gone(why) => {}
            _ if as_json => output::note(&self.as_json().to_string()),
            Failure::Interrupted(what_next) => output::note(what_next),
            _ => output::note(&format!("error: {}", self.message())),
        }
    }

    fn message(&self) -> String {
        match self {
            Failure::Library(error) => error.message.clone(),
            Failure::Usage(message) | Failure::Interrupted(message) => message.clone(),
            Failure::Output(why) => format!("The output cannot be written: {why}."),
        }
    }

    fn as_json(&self) -> Value {
        let of = |status: Status| (status.describe(), None, false);
        let (status, http_status, is_retryable) = match self {
            Failure::Library(error) => (
                error.status.describe(),
                error.http_status,
                error.is_retryable(),
            ),
            Failure::Usage(_) => of(Status::InvalidArgument),
            Failure::Output(_) => of(Status::SystemError),
            Failure::Interrupted(_) => of(Status::Cancelled),
        };
        json!({"error": {
            "status": status,
            "httpStatus": http_status,
            "retryable": is_retryable,
            "message": self.message(),
        }})
    }
}

/// A program such as `head` has read what it wanted.
fn has_gone(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::BrokenPipe
}

/// What would pass, and yet is not to be sent again unseen.
fn may_be_done(error: &Error) -> bool {
    error.status.is_retryable() && !error.is_retryable()
}

fn exit_status(status: Status) -> u8 {
    match status {
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
