//! The sandbox as a program: see `apivideo-sandbox --help`.

#![forbid(unsafe_code)]

mod args;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use apivideo_sandbox::Sandbox;
use args::{Args, Command};

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(args)) => args,
        Err(message) => return fail(2, &message),
    };
    match run(*args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => fail(2, &error.to_string()),
        Err(error) => fail(1, &error.to_string()),
    }
}

fn fail(status: u8, message: &str) -> ExitCode {
    eprintln!("apivideo-sandbox: {message}");
    ExitCode::from(status)
}

fn run(args: Args) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve_until_told(args))
}

async fn serve_until_told(args: Args) -> io::Result<()> {
    if let Some(path) = &args.ready_file {
        // Otherwise a script could take the file of an earlier run for ours.
        remove_if_there(path)?;
    }
    // Listened for before anyone can know that it is time to send one.
    let signal = termination()?;
    let sandbox = Sandbox::start(args.options.clone())?;
    if let (Some(path), Some(pem)) = (&args.ca_file, sandbox.ca_pem()) {
        write_atomically(path, pem)?;
    }
    if args.exit_with_parent {
        std::thread::spawn(exit_when_input_ends);
    }
    announce(&sandbox, &args)?;
    signal.await;
    Ok(())
}

fn announce(sandbox: &Sandbox, args: &Args) -> io::Result<()> {
    let url = sandbox.base_url();
    if let Some(path) = &args.ready_file {
        write_atomically(path, &format!("{url}\n"))?;
    }
    // In one write: who is content with the first line may close the pipe.
    let text = format!("apivideo-sandbox listening on {url}\n{}", advice(url, args));
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// What a program needs to be told to come here.
fn advice(url: &str, args: &Args) -> String {
    let mut variables = vec![
        ("APIVIDEO_API_KEY", args.options.key.clone()),
        ("APIVIDEO_BASE_URL", url.to_owned()),
    ];
    if let Some(path) = &args.ca_file {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        variables.push(("APIVIDEO_CA_FILE", path.display().to_string()));
    }
    let mut text = "\nTo use it, in another terminal:\n\n".to_owned();
    for (name, value) in variables {
        let line = match cfg!(windows) {
            true => format!("    set {name}={value}\n"),
            false => format!("    export {name}={}\n", quoted(&value)),
        };
        text.push_str(&line);
    }
    text + "\nCtrl-C ends it.\n"
}

/// As a shell takes it.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

/// Whoever finds the file finds all of it.
fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    std::fs::write(&temporary, text)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| naming(path, &error))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(naming(path, &error)),
        _ => Ok(()),
    }
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// A parent that dies closes the pipe, however it dies.
fn exit_when_input_ends() {
    let mut buffer = [0; 256];
    let mut stdin = io::stdin().lock();
    while stdin.read(&mut buffer).is_ok_and(|length| length > 0) {}
    std::process::exit(0);
}

#[cfg(unix)]
fn termination() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn termination() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // An error means that no signal can arrive; then there is no more to do.
        let _ = tokio::signal::ctrl_c().await;
    })
}
