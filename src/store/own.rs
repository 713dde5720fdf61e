//! A program's own store, by what it calls: anything that can compare and swap.
//!
//! A program's database client may have timeouts of its own, or none: see [`InTurn`].

use std::sync::Arc;
use std::time::Duration;

use super::in_turn::InTurn;
use super::{Backend, Change, Connection, Stored};
use crate::error::Error;

/// What a program does to load and to swap.
pub(crate) trait Calls: Send + Sync {
    fn load(&self, name: &str, limit: Duration) -> Result<Stored, Error>;
    fn swap(&self, change: &Change, limit: Duration) -> Result<bool, Error>;
}

pub(crate) struct OwnStore {
    calls: Arc<dyn Calls>,
    in_turn: Arc<InTurn>,
}

impl OwnStore {
    pub(crate) fn new(calls: impl Calls + 'static) -> OwnStore {
        OwnStore {
            calls: Arc::new(calls),
            in_turn: InTurn::new(),
        }
    }
}

impl Backend for OwnStore {
    fn open(&self) -> Box<dyn Connection> {
        Box::new(Calling {
            calls: Arc::clone(&self.calls),
            in_turn: Arc::clone(&self.in_turn),
        })
    }

    fn is_quick(&self) -> bool {
        false
    }

    fn outlives_client(&self) -> bool {
        false
    }
}

struct Calling {
    calls: Arc<dyn Calls>,
    in_turn: Arc<InTurn>,
}

impl Connection for Calling {
    fn load(&mut self, name: &str, limit: Duration) -> Result<Stored, Error> {
        let (calls, name) = (Arc::clone(&self.calls), name.to_owned());
        self.in_turn
            .result(limit, move |left| calls.load(&name, left))
    }

    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let (calls, change) = (Arc::clone(&self.calls), change.clone());
        self.in_turn
            .result(limit, move |left| calls.swap(&change, left))
    }
}
