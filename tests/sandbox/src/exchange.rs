//! One request and its reply: log it, pick a fault, carry it out.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::time::sleep;

use crate::control;
use crate::faults::Fault;
use crate::intake::{End, Intake};
use crate::limits::Kind;
use crate::reply::{self, Reply, Response};
use crate::request::Request;
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
    let (head, body) = request.into_parts();
    let mut request = Request::new(&head);
    if request.is_upload() {
        return Ok(upload(&connection, request, body).await);
    }
    let response = match read(body).await {
        Err(problem) => {
            let mut response = problem.into_response();
            // Only what is posted has a body that cannot be read.
            let told = connection.shared.lock().count(Kind::Write);
            told.tell(&mut response);
            response
        }
        Ok(body) => {
            request.body = body;
            match control::is_control(&request) {
                true => control::handle(&connection.shared, &request),
                false => exchange(&connection, &request).await,
            }
        }
    };
    Ok(response)
}

async fn read(body: Incoming) -> Result<Bytes, Reply> {
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| {
            Reply::problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload-too-large",
                "The body is too large, or could not be read.",
            )
        })?;
    Ok(body.to_bytes())
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
    let fault = plan.strike.take().map(|strike| strike.fault);
    let exchange = Exchange {
        connection,
        request,
        plan,
    };
    exchange.answer(fault).await
}

/// An upload is recorded when it begins. Its body is received as it comes.
async fn upload(connection: &Connection, mut request: Request, body: Incoming) -> Response {
    let mut plan = connection.shared.lock().begin(&request, connection.id);
    pause(plan.latency).await;
    let strike = plan.strike.take();
    let refusal = connection.shared.lock().refuse_early(&request, &plan);
    if let (None, Some(refusal)) = (&strike, refusal) {
        return refuse(connection, &request, &plan, refusal);
    }
    if request.expects_continue() {
        await_continue(connection).await;
    }
    let drains = strike.as_ref().is_some_and(|strike| strike.drain);
    let mut intake = Intake::new(&connection.shared, plan.seq, body, strike);
    match intake.receive(&mut request).await {
        Ok(End::Whole | End::Stopped) => {}
        Ok(End::Broken) => {
            // Who has sent half of a body is not told that all is well.
            connection.switch.cut(0);
            return unsent();
        }
        Err(error) => return refuse(connection, &request, &plan, cannot_keep(&error)),
    }
    let exchange = Exchange {
        connection,
        request: &request,
        plan,
    };
    let response = exchange.answer(intake.take_fault()).await;
    if drains {
        tokio::spawn(intake.drain());
    }
    response
}

/// The HTTP library answers `100 Continue` when the body is asked for.
async fn await_continue(connection: &Connection) {
    let settings = connection.shared.lock().settings.clone();
    connection.switch.hold_continue(!settings.send_continue);
    pause(Duration::from_millis(settings.continue_delay_ms)).await;
}

/// Answers a request that is not handled.
fn refuse(connection: &Connection, request: &Request, plan: &Plan, refusal: Reply) -> Response {
    let mut state = connection.shared.lock();
    state.refused(request, plan, &refusal);
    let mut response = refusal.into_response();
    plan.rate_limit.tell(&mut response);
    state.finish(plan, response.status().as_u16());
    response
}

fn cannot_keep(error: &io::Error) -> Reply {
    let mut reply = Reply::problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal-error",
        "The sandbox cannot keep the file.",
    );
    reply.json["detail"] = error.to_string().into();
    reply
}

struct Exchange<'a> {
    connection: &'a Connection,
    request: &'a Request,
    plan: Plan,
}

impl Exchange<'_> {
    async fn answer(&self, fault: Option<Fault>) -> Response {
        match fault {
            None => self.ordinary(),
            Some(fault) => self.faulty(fault).await,
        }
    }

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
            Fault::Reset { handled } => {
                self.handle_if(handled);
                switch.reset();
                unsent()
            }
            Fault::Stall { at } => {
                switch.stall(at);
                self.truncated(at)
            }
            // The body has been read, slowly.
            Fault::Throttle { .. } => self.ordinary(),
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
        let shared = &self.connection.shared;
        let (reply, encoding_ms) = {
            let mut state = shared.lock();
            let reply = state.handle(self.request, &self.plan);
            (reply, state.settings.encoding_ms)
        };
        shared.send_messages(Duration::from_millis(encoding_ms));
        reply
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
