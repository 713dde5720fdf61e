//! The tests, as one program: it builds faster than several.

mod api;
mod client;
mod control;
mod deadlock;
mod faults;
mod lifecycle;
mod program;
mod upload_faults;
mod uploads;
mod videos;
mod webhooks;
