//! The command `apivideo`: uploads, requests and tokens, for a terminal and for scripts.

mod args;
mod failure;
mod interrupt;
mod output;
mod upload;

use std::io::Read;
use std::process::ExitCode;

use apivideo::{Client, Config};
use clap::Parser;
use serde_json::json;

use args::{Arguments, Command, RequestArguments};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(arguments.json);
            failure.exit_code()
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut config = Config::default();
    config.set_sdk("apivideo-cli", env!("CARGO_PKG_VERSION"))?;
    match &arguments.command {
        Command::Upload(upload) => upload::run(upload, &config, arguments.json),
        Command::Request(request) => send(&Client::from_environment(&config)?, request),
        Command::Token => print_token(&Client::from_environment(&config)?, arguments.json),
    }
}

fn send(client: &Client, arguments: &RequestArguments) -> Result<(), Failure> {
    let json = match arguments.body.as_deref() {
        Some("-") => Some(standard_input()?),
        given => given.map(str::to_owned),
    };
    let mut path = arguments.path.clone();
    loop {
        let response = client.request(&arguments.method, &path, json.as_deref())?;
        output::line(response.body())?;
        if !arguments.pages || response.next_page().is_empty() || response.next_page() == path {
            return Ok(());
        }
        path = response.next_page().to_owned();
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    match std::io::stdin().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(why) => Err(Failure::Usage(format!(
            "The standard input cannot be read: {why}."
        ))),
    }
}

fn print_token(client: &Client, as_json: bool) -> Result<(), Failure> {
    let token = client.get_token()?;
    if !as_json {
        return output::line(token.access_token().as_bytes());
    }
    let told = json!({
        "accessToken": token.access_token(),
        "expiresIn": token.expires_in_ms() / 1000,
    });
    output::line(told.to_string().as_bytes())
}
