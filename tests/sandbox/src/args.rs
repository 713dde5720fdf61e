//! The program's command line.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use apivideo_sandbox::Options;
use lexopt::Arg::{Long, Short};
use lexopt::Parser;
use serde_json::{Map, Value};

pub const HELP: &str = "\
A local imitation of api.video, with faults on demand.

Usage: apivideo-sandbox [OPTIONS]

Options:
      --host ADDRESS       loopback address to listen on [127.0.0.1]
      --port PORT          port to listen on, 0 for any free one [0]
      --tls                speak HTTPS, with a certificate made at start
      --ca-file PATH       with --tls: where to write the certificate to trust
      --tls-name NAME      with --tls: a further name the certificate is valid for
      --key KEY            API key that is accepted [sandbox-key]
      --expires-in SECONDS lifetime of an access token [3600]
      --latency-ms N       wait before each request is handled [0]
      --auth-error-status STATUS
                           status of a rejected key or refresh token:
                           400, 401 or 403 [400]
      --set NAME=VALUE     any setting of the control interface, as in
                           --set enforce_limits=true --set smallest_chunk=1024
      --strict-origin      require a well-formed AV-Origin-Client header
      --ready-file PATH    where to write the base URL once it is listening
      --exit-with-parent   exit when standard input ends
  -h, --help               print this
";

/// What the command line asks for.
pub enum Command {
    Help,
    Run(Box<Args>),
}

#[derive(Default)]
pub struct Args {
    pub options: Options,
    pub ca_file: Option<PathBuf>,
    pub ready_file: Option<PathBuf>,
    pub exit_with_parent: bool,
}

/// Reads the command line, or says in one line what is wrong with it.
pub fn parse() -> Result<Command, String> {
    parse_from(Parser::from_env()).map_err(|error| error.to_string())
}

fn parse_from(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut args = Args::default();
    let mut settings = Map::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("host") => args.options.host = value(&mut parser, "host")?,
            Long("port") => args.options.port = value(&mut parser, "port")?,
            Long("tls") => args.options.tls = true,
            Long("ca-file") => args.ca_file = Some(parser.value()?.into()),
            Long("tls-name") => args.options.tls_names.push(value(&mut parser, "tls-name")?),
            Long("key") => args.options.key = value(&mut parser, "key")?,
            Long("expires-in") => args.options.expires_in = value(&mut parser, "expires-in")?,
            Long("latency-ms") => args.options.latency_ms = value(&mut parser, "latency-ms")?,
            Long("auth-error-status") => {
                args.options.auth_error_status = value(&mut parser, "auth-error-status")?;
            }
            Long("set") => set(&mut settings, &value::<String>(&mut parser, "set")?)?,
            Long("strict-origin") => args.options.strict_origin = true,
            Long("ready-file") => args.ready_file = Some(parser.value()?.into()),
            Long("exit-with-parent") => args.exit_with_parent = true,
            Long("help") | Short('h') => return Ok(Command::Help),
            _ => return Err(arg.unexpected()),
        }
    }
    args.options.settings =
        serde_json::from_value(settings.into()).map_err(|error| format!("--set: {error}"))?;
    check(&args)?;
    Ok(Command::Run(Box::new(args)))
}

fn check(args: &Args) -> Result<(), lexopt::Error> {
    match (args.options.tls, &args.ca_file) {
        (true, None) => Err("--tls needs --ca-file".into()),
        (false, Some(_)) => Err("--ca-file needs --tls".into()),
        _ => Ok(()),
    }
}

/// One setting. What is not JSON is a text.
fn set(settings: &mut Map<String, Value>, text: &str) -> Result<(), lexopt::Error> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("--set {text}: expected NAME=VALUE"))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    settings.insert(name.to_owned(), value);
    Ok(())
}

/// The value of an option, with an error that names the option.
fn value<T>(parser: &mut Parser, option: &str) -> Result<T, lexopt::Error>
where
    T: FromStr,
    T::Err: Display,
{
    let text = parser.value()?;
    let text = text
        .to_str()
        .ok_or_else(|| format!("--{option} is not UTF-8"))?;
    text.parse()
        .map_err(|error| format!("--{option} {text}: {error}").into())
}
