//! A client: one API key, one token, any number of threads.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::auth::Auth;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, checked_api_key};
use crate::error::{Error, Status};
use crate::ffi::sys;
use crate::keeper::state::Statistics;
use crate::keeper::ticket::Ticket;
use crate::keeper::waiters::{Purpose, WaiterId, Want};
use crate::keeper::{Keeper, World};
use crate::token::Token;
use crate::{fork, timer};

/// Hands any thread a valid token for one API key. Dropping it ends every wait, and waits for nothing itself.
pub struct Client {
    access: Access,
}

impl Client {
    /// A client with a copy of `config`. No I/O: the first token is got when it is first asked for.
    pub fn new(api_key: &str, config: &Config) -> Result<Client, Error> {
        fork::watch();
        let world = World {
            clock: Arc::new(SystemClock),
            draw: Box::new(draw),
            endpoint: Box::new(Auth::new(config.http(), checked_api_key(api_key)?)),
            observer: config.observer(),
            spawn: |work| {
                sys::spawn("apivideo-renew", work).map_err(|why| {
                    Error::new(
                        Status::SystemError,
                        format!("The system refused a thread: {why}."),
                    )
                })
            },
            alarm: timer::alarm,
        };
        Ok(Client {
            access: Access {
                keeper: Keeper::new(world, config.keeps_fresh()),
                wait_timeout_ms: config.wait_timeout_ms(),
                wait_for_recovery: config.waits_for_recovery(),
            },
        })
    }

    /// A valid token: at once if there is one, else when the exchange that is then made gives one.
    pub fn get_token(&self) -> Result<Arc<Token>, Error> {
        match self.read() {
            Some(token) => Ok(token),
            None => self.access.get_token_valid_for(0),
        }
    }

    /// A valid token if there is one at once.
    pub(crate) fn read(&self) -> Option<Arc<Token>> {
        self.access.keeper.read()
    }

    /// [`Token::id`] of the token that [`Client::get_token`] would give at once, if there is one: a caller that keeps a
    /// copy of a token's text learns whether that is still the one.
    pub fn token_id(&self) -> Option<u64> {
        self.read().map(|token| token.id())
    }

    /// A token that is good for at least `min_validity_ms` from now, for a long request.
    pub fn get_token_valid_for(&self, min_validity_ms: u64) -> Result<Arc<Token>, Error> {
        self.access.get_token_valid_for(min_validity_ms)
    }

    /// [`Client::get_token_valid_for`] without waiting: the answer comes to the operation.
    pub fn start_get_token(&self, min_validity_ms: u64) -> Operation {
        self.access.start_get_token(min_validity_ms)
    }

    /// `POST /auth/api-key`, now. The token becomes this client's own.
    pub fn authenticate(&self) -> Result<Arc<Token>, Error> {
        self.access.authenticate()
    }

    /// `POST /auth/refresh`, now, with this client's refresh token. The token becomes this client's own.
    pub fn refresh(&self) -> Result<Arc<Token>, Error> {
        self.access.refresh()
    }

    /// The API answered 401 to this token: the next call gets another, with the API key.
    pub fn invalidate(&self, rejected: &Token) -> Result<(), Error> {
        self.access.invalidate(rejected)
    }

    /// The counters, and what is going on now.
    pub fn statistics(&self) -> Statistics {
        self.access.statistics()
    }

    /// What calls need of the client, to use while it may be freed.
    #[cfg(feature = "capi")]
    pub(crate) fn access(&self) -> Access {
        self.access.clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.access.keeper.close();
    }
}

/// What calls need of a [`Client`]. It outlives it: calls under way then end with [`Status::Closed`].
#[derive(Clone)]
pub(crate) struct Access {
    keeper: Arc<Keeper>,
    wait_timeout_ms: u32,
    wait_for_recovery: bool,
}

impl Access {
    pub(crate) fn get_token_valid_for(&self, min_validity_ms: u64) -> Result<Arc<Token>, Error> {
        match self.read_valid_for(min_validity_ms) {
            Some(token) => Ok(token),
            None => self.keeper.get(self.want(Purpose::Token, min_validity_ms)),
        }
    }

    pub(crate) fn start_get_token(&self, min_validity_ms: u64) -> Operation {
        let ticket = Arc::new(Ticket::new());
        let want = Want {
            timed: true,
            ..self.want(Purpose::Token, min_validity_ms)
        };
        let id = match self.read_valid_for(min_validity_ms) {
            Some(token) => {
                ticket.answer(Ok(Arc::clone(token.grant())));
                None
            }
            None => self.keeper.start(want, &ticket),
        };
        Operation {
            call: Call {
                keeper: Arc::downgrade(&self.keeper),
                clock: Arc::clone(self.keeper.clock()),
                ticket,
                id,
            },
        }
    }

    pub(crate) fn authenticate(&self) -> Result<Arc<Token>, Error> {
        self.keeper.get(self.want(Purpose::Authenticate, 0))
    }

    pub(crate) fn refresh(&self) -> Result<Arc<Token>, Error> {
        self.keeper.get(self.want(Purpose::Refresh, 0))
    }

    pub(crate) fn invalidate(&self, rejected: &Token) -> Result<(), Error> {
        self.keeper.invalidate(rejected.grant())
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.keeper.statistics()
    }

    fn read_valid_for(&self, min_validity_ms: u64) -> Option<Arc<Token>> {
        let left = |token: &Token| token.grant().usable_for_ms(self.keeper.now());
        self.keeper
            .read()
            .filter(|token| left(token) >= millis(min_validity_ms))
    }

    fn want(&self, purpose: Purpose, min_validity_ms: u64) -> Want {
        let patient = self.wait_for_recovery && purpose == Purpose::Token;
        Want {
            purpose,
            min_validity_ms: millis(min_validity_ms),
            deadline_ms: self.keeper.now().mono_ms + i64::from(self.wait_timeout_ms),
            patient,
            // A patient caller is to be woken for the next try, not just at its deadline.
            timed: patient,
        }
    }
}

/// A call under way. Dropping it cancels it; the exchange that it waits for goes on for others.
///
/// It keeps nothing of its client: once that is dropped, and an exchange under way is over, the key is gone from memory.
pub struct Operation {
    call: Call,
}

impl Operation {
    /// The answer, if it comes within `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Arc<Token>, Error>> {
        self.call.wait(timeout)
    }

    /// Has `callback` called once when the answer is there, on whatever thread brings it: on this one, before this
    /// returns, if it is there already.
    pub fn on_complete(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.call.on_complete(callback)
    }

    /// Ends the waiting with [`Status::Cancelled`], unless the answer is there already.
    pub fn cancel(&self) {
        self.call.cancel();
    }

    /// What the operation is made of, to use while a callback may free the operation itself.
    #[cfg(feature = "capi")]
    pub(crate) fn call(&self) -> Call {
        self.call.clone()
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.call.cancel();
    }
}

/// The parts of an [`Operation`].
#[derive(Clone)]
pub(crate) struct Call {
    keeper: Weak<Keeper>,
    clock: Arc<dyn Clock>,
    ticket: Arc<Ticket>,
    id: Option<WaiterId>,
}

impl Call {
    pub(crate) fn wait(&self, timeout: Duration) -> Option<Result<Arc<Token>, Error>> {
        match self.keeper.upgrade() {
            Some(keeper) => keeper.wait_for_operation(&self.ticket, timeout),
            // The client is gone, and has answered.
            None => {
                let answer = self.ticket.wait(timeout)?;
                Some(answer.map(|grant| Arc::new(Token::new(grant, Arc::clone(&self.clock)))))
            }
        }
    }

    pub(crate) fn on_complete(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        self.ticket.on_answer(Box::new(callback))
    }

    pub(crate) fn cancel(&self) {
        if !self.ticket.is_ours() {
            // In a forked child that number may be another waiter's.
            return;
        }
        if let (Some(id), Some(keeper)) = (self.id, self.keeper.upgrade()) {
            keeper.cancel(id);
        }
        self.ticket.answer(Err(Error::new(
            Status::Cancelled,
            "The operation was cancelled.",
        )));
    }
}

fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A random number in [0, 1), from the system: processes forked from one another draw different ones.
fn draw() -> f64 {
    let mut bits = [0u8; 4];
    match getrandom::fill(&mut bits) {
        Ok(()) => f64::from(u32::from_le_bytes(bits)) / (f64::from(u32::MAX) + 1.0),
        // Jitter only spreads load: the middle does no harm.
        Err(_) => 0.5,
    }
}
