//! Why a command failed: in words for a person, as JSON for a script, as an exit status for a shell.

use std::io;
use std::process::ExitCode;

use apivideo::{Error, Status};
use serde_json::{Value, json};

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
            Failure::Library(error) => exit_status(error.status),
            Failure::Usage(_) => 2,
            Failure::Output(_) => 1,
            Failure::Interrupted(_) => 130,
        })
    }

    pub(crate) fn print(&self, as_json: bool) {
        // Nobody may be there to read it, and there is nobody else to tell.
        if as_json {
            eprintln!("{}", self.as_json());
        } else {
            eprintln!("{}", self.in_words());
        }
    }

    fn in_words(&self) -> String {
        match self {
            Failure::Library(error) => format!("error: {}", error.message),
            Failure::Usage(message) => format!("error: {message}"),
            Failure::Output(why) => format!("error: the output cannot be written: {why}"),
            Failure::Interrupted(what_next) => what_next.clone(),
        }
    }

    fn as_json(&self) -> Value {
        let (status, http_status) = match self {
            Failure::Library(error) => (error.status.describe(), error.http_status),
            Failure::Usage(_) => (Status::InvalidArgument.describe(), None),
            Failure::Output(_) => (Status::SystemError.describe(), None),
            Failure::Interrupted(_) => (Status::Cancelled.describe(), None),
        };
        json!({"error": {
            "status": status,
            "httpStatus": http_status,
            "message": self.in_words().trim_start_matches("error: "),
        }})
    }
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
