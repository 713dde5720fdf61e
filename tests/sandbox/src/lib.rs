//! A local imitation of api.video, with faults on demand.
//!
//! [`Sandbox::start`] opens a server on a loopback address. It hands out
//! tokens the way api.video does, including the rotation of refresh tokens,
//! takes videos in chunks, and can be told to misbehave: to cut a reply after
//! any byte, to lose it, to stall, to reset an upload at any byte, to answer
//! with anything at all. Nothing leaves the machine.
//!
//! The handle is blocking and works from any test, asynchronous ones included:
//! the server lives on threads of its own.
//!
//! ```
//! use apivideo_sandbox::{Fault, FaultRule, On, Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! println!("send requests to {}", sandbox.base_url());
//!
//! // The next refresh is carried out, but its reply never arrives.
//! sandbox.fault(FaultRule::new(On::Refresh, Fault::Close { handled: true }));
//!
//! // ... let the code under test work ...
//! assert_eq!(sandbox.counters().refresh.replayed, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where things are
//!
//! | Module    | Holds                                                       |
//! |-----------|-------------------------------------------------------------|
//! | `options` | what a sandbox is started with, and what can change later   |
//! | `sandbox` | the blocking handle                                         |
//! | `server`  | the listener and its connections                            |
//! | `wire`    | the stream under HTTP, where replies are cut and slowed     |
//! | `exchange`| one request: log it, pick a fault, carry it out             |
//! | `request` | a request, and what it is addressed to                      |
//! | `api`     | which function answers which request                        |
//! | `checks`  | what is checked of every request                            |
//! | `auth`    | the endpoints that hand out tokens                          |
//! | `videos`  | videos: made, listed, changed, deleted                      |
//! | `uploads` | takes the chunks of a video                                 |
//! | `upload_tokens` | tokens that open uploads alone                        |
//! | `content_range` | which piece a chunk is                                |
//! | `ingest`  | what a video has received                                   |
//! | `intake`, `form`, `multipart` | a body, as it comes                     |
//! | `stored`  | the bytes of chunks                                         |
//! | `received`| what tests may know of a video                              |
//! | `refusals`| why an upload is refused                                    |
//! | `webhooks`, `delivery` | webhooks, and how they are told                |
//! | `attributes` | the attributes in a JSON body                            |
//! | `pages`   | lists, page by page                                         |
//! | `dates`   | times as api.video writes them                              |
//! | `limits`  | the count of requests that every reply tells                |
//! | `tokens`  | issued tokens and their rotation                            |
//! | `faults`  | what can go wrong, and the queue of rules                   |
//! | `reply`   | HTTP replies and their bodies                               |
//! | `control` | the `/_sandbox/` endpoint                                   |
//! | `log`     | the record of requests, and the counters                    |
//! | `state`   | all of the above that changes, behind one lock              |
//! | `deadlock`| ends a test that would hang                                 |
//! | `tls`     | the certificate authority made at start                     |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod api;
mod attributes;
mod auth;
mod checks;
mod content_range;
mod control;
mod dates;
#[cfg(feature = "deadlock-detection")]
mod deadlock;
mod delivery;
mod exchange;
mod faults;
mod form;
mod ingest;
mod intake;
mod limits;
mod log;
mod multipart;
mod options;
mod pages;
mod received;
mod refusals;
mod reply;
mod request;
mod sandbox;
mod server;
mod state;
mod stored;
mod tls;
mod tokens;
mod upload_tokens;
mod uploads;
mod videos;
mod webhooks;
mod wire;

pub use delivery::Delivery;
pub use faults::{Fault, FaultRule, On, OutageMode, Payload, Revoke};
pub use log::{Counters, EndpointCounters, LogEntry, RefreshCounters};
pub use options::{Options, Settings, SettingsChange};
pub use received::{ReceivedChunk, ReceivedVideo};
pub use sandbox::Sandbox;
