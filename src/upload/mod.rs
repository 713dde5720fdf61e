//! An upload: a video's source on its way to api.video, in chunks, through whatever goes wrong.
//!
//! - [`policy`]: how large, how many, how often. Numbers.
//! - [`chunks`]: how a source is cut. [`pace`]: how many chunks api.video lets through.
//! - [`exchange`]: one chunk or one question, as the state sees it.
//! - [`state`]: what is known, and what follows from an event. Pure.

pub(crate) mod chunks;
pub(crate) mod exchange;
pub(crate) mod pace;
pub(crate) mod policy;
pub(crate) mod state;
#[cfg(test)]
mod tests;
