//! One request and its reply: log it, pick a fault, carry it out.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use tokio::time::sleep;

use crate::api::Request;
use crate::control;
use crate::faults::Fault;
use crate::reply::{self, Reply, Response};
use crate::state::{Plan, Shared};
use crate::wire::Switch;

/// The largest body that is read.
const BODY_LIMIT: usize = 1024 * 1024;

/// What the requests of one connection have in common.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) shared: Arc<Shared>,
    pub(crate) switch: Switch,
}

/// Answers a request, or never returns if there is to be no answer.
pub(crate) async fn answer(
    connection: Arc<Connection>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    // The request before this one may have left the switch set.
    connection.switch.pass();
    let response = match read(request).await {
        Err(problem) => {
            let mut response = problem.into_response();
            // Only what is posted has a body that cannot be read.
            let told = connection.shared.lock().count(&Method::POST);
            told.tell(&mut response);
            response
        }
        Ok(request) if control::is_control(&request) => {
            control::handle(&connection.shared, &request)
        }
        Ok(request) => exchange(&connection, &request).await,
    };
    Ok(response)
}

async fn read(request: hyper::Request<Incoming>) -> Result<Request, Reply> {
    let (head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| {
            Reply::problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload-too-large",
                "The body is too large, or could not be read.",
            )
        })?
        .to_bytes();
    Ok(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    })
}

/// Nothing for no time: the timer would make a millisecond of it.
async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

async fn exchange(connection: &Connection, request: &Request) -> Response {
    let mut plan = connection.shared.lock().begin(request, connection.id);
    pause(plan.latency).await;
    let fault = plan.fault.take();
    let exchange = Exchange {
        connection,
        request,
        plan,
    };
    match fault {
        None => exchange.ordinary(),
        Some(fault) => exchange.faulty(fault).await,
    }
}

struct Exchange<'a> {
    connection: &'a Connection,
    request: &'a Request,
    plan: Plan,
}

impl Exchange<'_> {
    fn ordinary(&self) -> Response {
        self.sent(self.handle().into_response())
    }

    async fn faulty(&self, fault: Fault) -> Response {
        let switch = &self.connection.switch;
        match fault {
            Fault::Reply {
                status,
                headers,
                body,
            } => {
                let headers = headers.iter().map(|(name, value)| (&**name, &**value));
                self.sent(reply::custom(status, headers, body))
            }
            Fault::Patch { fields, remove } => {
                let mut reply = self.handle();
                if reply.is_success() {
                    reply.patch(fields, &remove);
                }
                self.sent(reply.into_response())
            }
            Fault::Raw { bytes, hang } => {
                switch.replace(bytes.into_bytes(), hang);
                unsent()
            }
            Fault::Prepend {
                response,
                headers,
                body,
            } => {
                switch.prepend(response.into_bytes(), headers.into_bytes());
                self.sent(self.handle().into_response_after(&body.into_bytes()))
            }
            Fault::Gateway { status, bytes } => self.sent(reply::gateway(status, bytes)),
            Fault::Truncate { at } => {
                switch.cut(at);
                self.truncated(at)
            }
            Fault::Close { handled } => {
                self.handle_if(handled);
                switch.cut(0);
                unsent()
            }
            Fault::Hang { handled } => {
                self.handle_if(handled);
                pending().await
            }
            Fault::Drip { interval_ms } => {
                switch.drip(Duration::from_millis(interval_ms));
                self.ordinary()
            }
            Fault::Delay { ms } => {
                pause(Duration::from_millis(ms)).await;
                self.ordinary()
            }
            Fault::Huge {
                bytes,
                content_length,
            } => self.sent(reply::huge(bytes, content_length)),
            Fault::Redirect { location, status } => {
                let headers = [("location", location.as_str())];
                self.sent(reply::custom(status, headers, "".into()))
            }
        }
    }

    /// A reply of which nothing arrives counts as not sent.
    fn truncated(&self, at: u64) -> Response {
        match at {
            0 => self.handle().into_response(),
            _ => self.ordinary(),
        }
    }

    fn handle(&self) -> Reply {
        let mut state = self.connection.shared.lock();
        state.handle(self.request, &self.plan)
    }

    fn handle_if(&self, handled: bool) {
        if handled {
            self.handle();
        }
    }

    /// Records the status before it is sent, so that a client that has the
    /// reply also finds it in the log.
    fn sent(&self, mut response: Response) -> Response {
        self.plan.rate_limit.tell(&mut response);
        let mut state = self.connection.shared.lock();
        state.finish(&self.plan, response.status().as_u16());
        response
    }
}

/// A response for the HTTP library to write, of which the wire sends nothing.
fn unsent() -> Response {
    reply::empty(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn no_pause_is_over_at_once() {
        let mut context = Context::from_waker(Waker::noop());
        let none = pin!(pause(Duration::ZERO));
        assert!(none.poll(&mut context).is_ready());
        let one = pin!(pause(Duration::from_millis(1)));
        assert!(one.poll(&mut context).is_pending());
    }
}
