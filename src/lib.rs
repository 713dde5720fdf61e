//! Valid api.video bearer tokens for any thread of any program.
//!
//! A [`Client`] turns an API key into an access token when one is first asked for, hands it to
//! every thread without locks, renews it before it expires, and rides out rejections and outages. C
//! and C++ programs use it through `include/apivideo.h`; this crate's Rust interface is the same
//! thing without the pointers.
//!
//! ```no_run
//! let client = apivideo::Client::new("YOUR_API_KEY", &apivideo::Config::default())?;
//! let token = client.get_token()?;
//! println!("expires in {} s", token.expires_in_ms() / 1000);
//! # Ok::<(), apivideo::Error>(())
//! ```
//!
//! # The map
//!
//! A call goes one way: `capi → client → cache`, and from the cache's flight to its endpoint,
//! `auth → http`. A request goes `capi → client → request → http`, and asks the cache for a token.
//! The cache knows that endpoint, the clock and the timer only as what is injected.
//!
//! - `capi`: every exported C function, one file a noun; `ffi`: the boundary, and the only other
//!   `unsafe` code.
//! - `client`: what a client is made of. `config`: its settings. `environment`: what fills in for
//!   those left out. `api_key`: what is refused as a key.
//! - `cache`: the life of a token, pure at heart: when it is refreshed, by whom, and who waits.
//! - `request`: a request to the API: what may be asked for, what is tried again, and the answer.
//! - `upload`: a video's source in chunks, pure at heart too: what is sent when, whatever fails.
//! - `auth`: the two endpoints' wire format. `problem`: api.video's problem objects. `http`:
//!   deadlines, limits, TLS and proxies.
//! - `webhook`: the signatures of api.video's own requests.
//! - `store`: where processes share a token.
//! - `token`, `error`, `clock`, `text`: what the names say.
//! - `process`: what a forked child gets anew, the one timer thread, the locks.

mod api_key;
mod auth;
mod cache;
mod client;
mod clock;
mod config;
mod environment;
mod error;
mod ffi;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod problem;
mod process;
mod request;
mod store;
mod text;
mod token;
mod upload;
mod webhook;

#[cfg(feature = "capi")]
pub mod capi;

pub use cache::events::{LogLevel, TokenState};
pub use cache::statistics::Statistics;
pub use client::{Client, ClientInner, Operation, Pending, PendingCall, PendingRequest};
pub use config::{Config, Environment};
pub use error::{Error, Problem, Status};
pub use request::response::Response;
pub use store::Store;
pub use token::Token;
pub use upload::handle::{StartedUpload, Upload};
pub use upload::options::Progress;
pub use webhook::verify as verify_webhook;
