//! What may be written after `apivideo`.

use clap::{Args, Parser, Subcommand, value_parser};

const AFTER_HELP: &str = "\
Environment:
  APIVIDEO_API_KEY      the API key
  APIVIDEO_ENVIRONMENT  production (the default) or sandbox
  APIVIDEO_BASE_URL     another server, such as that of `make sandbox`
  APIVIDEO_CA_FILE      CAs to trust besides the system's
  APIVIDEO_STORE        where processes share a token, such as `file`: a cron job then makes no
                        exchange of its own

Exit status:
  0    done
  1    something in this machine or this program
  2    the arguments, the key's form, or a variable of the environment
  3    refused by api.video: the key, or the request
  4    the file
  5    what may pass: the network, a server, a limit. Try again later
  6    the request may have been carried out: look before it is made again
  130  interrupted. An upload says how to go on
  141  whoever read the output has gone";

/// Uploads to api.video, and makes requests to it.
#[derive(Parser)]
#[command(name = "apivideo", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Results and errors as JSON, a line each: for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sends files, each as the source of a video
    Upload(UploadArguments),
    /// Makes a request with the client's token, and prints the body of the reply
    Request(RequestArguments),
    /// Prints a valid access token
    Token,
}

#[derive(Args)]
pub(crate) struct UploadArguments {
    /// The files: one after the other, until one fails
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The title of the video that is made; its file's name by default
    #[arg(long, conflicts_with_all = ["token", "video"])]
    pub(crate) title: Option<String>,
    /// An upload token, instead of an API key. @FILE reads it from a file, where no list of
    /// processes shows it
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// The video that a file is for, instead of a new one
    #[arg(long, value_name = "VIDEO-ID")]
    pub(crate) video: Option<String>,
    /// Goes on where an earlier upload to --video ended, and sends only the rest
    #[arg(long, requires = "video", conflicts_with = "token")]
    pub(crate) resume: bool,
    /// The size of a chunk in MiB, 5 to 200
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(5..=200))]
    pub(crate) chunk_size: Option<u64>,
    /// How many chunks are sent side by side, 1 to 8
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=8))]
    pub(crate) parallel: Option<u32>,
}

#[derive(Args)]
pub(crate) struct RequestArguments {
    /// GET, POST and so on
    pub(crate) method: String,
    /// The path below the base URL, such as /videos?pageSize=100
    pub(crate) path: String,
    /// JSON to send; `-` reads it from the standard input
    pub(crate) body: Option<String>,
    /// Asks for the following pages of a list too: a line each
    #[arg(long)]
    pub(crate) pages: bool,
}
