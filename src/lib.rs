//! Valid api.video bearer tokens for any thread of any program.
//!
//! A [`Client`] turns an API key into an access token when one is first asked for, hands it to every thread without
//! locks, renews it before it expires, and rides out rejections and outages. C and C++ programs use it through
//! `include/apivideo.h`; this crate's Rust interface is the same thing without the pointers.
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
//! A call goes one way: `capi → client → keeper`, and from the keeper's flight to its endpoint, `auth → http`. The keeper knows that
//! endpoint, the clock and the timer only as what it is given.
//!
//! - `capi`: every exported C function, one file a noun; `ffi`: the boundary, and the only other `unsafe` code.
//! - `client`: what a client is made of. `config`: its settings.
//! - `keeper`: the life of a token, pure at heart: when it is renewed, by whom, and who waits.
//! - `auth`: the two endpoints' wire format. `http`: deadlines, limits, TLS and proxies.
//! - `token`, `error`, `clock`: what the names say. `fork`: what a child process gets anew. `timer`: the one timer thread. `sync`: the
//!   locks, which a model checker can replace. `text`: a server's text on one line.

mod auth;
mod client;
mod clock;
mod config;
mod error;
mod ffi;
mod fork;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod keeper;
mod sync;
mod text;
mod timer;
mod token;

#[cfg(feature = "capi")]
pub mod capi;

pub use client::{Client, Operation};
pub use config::{Config, Environment};
pub use error::{Error, Problem, Status};
pub use keeper::event::{LogLevel, TokenState};
pub use keeper::state::Statistics;
pub use token::Token;
