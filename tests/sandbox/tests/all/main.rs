//! The tests, as one program: it builds faster than several.

mod api;
mod client;
mod control;
mod faults;
mod lifecycle;
mod program;
