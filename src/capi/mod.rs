//! The C ABI: every exported function, one file a noun.
//!
//! Each is a few lines: check the arguments, call `client` or a neighbour, hand the result out, all
//! inside `ffi::boundary::guard`. The header's preamble (`cbindgen.toml`) says once what a pointer
//! must be, and that is the safety contract of every `unsafe extern "C"` function here.

#![allow(unsafe_code)]
#![allow(clippy::missing_safety_doc)] // Told once, as said above.

mod client;
mod config;
mod error;
mod operation;
mod request;
mod response;
mod statistics;
mod store;
mod token;
mod upload;
mod user_data;
mod version;

pub use client::*;
pub use config::*;
pub use error::*;
pub use operation::*;
pub use request::*;
pub use response::*;
pub use statistics::*;
pub use store::*;
pub use token::*;
pub use upload::*;
pub use user_data::apivideo_release_callback;
pub use version::*;
