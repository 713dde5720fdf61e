//! A connection that is lost after each byte of the request and of the reply, and all along a TLS
//! connection, handshake included.
//!
//! Whatever was lost, no refresh token that may be spent is sent again, no token comes of a part of
//! a reply, and the client recovers.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;

use std::iter::StepBy;
use std::ops::Range;
use std::thread;
use std::time::Instant;

use apivideo::{Client, Config, Status};
use apivideo_sandbox::{Fault, FaultRule, On, Sandbox};
use parking_lot::Mutex;

use common::fault_proxy::{Carried, FaultProxy, Way};
use common::{assert_no_refresh_token_came_twice, client_with, config_for, cut_step};

/// A server, and the proxy to it.
struct Stage {
    sandbox: Sandbox,
    proxy: FaultProxy,
    config: Config,
}

impl Stage {
    fn new(sandbox: Sandbox) -> Stage {
        let proxy = FaultProxy::before(sandbox.address());
        let scheme = sandbox.base_url().split(':').next().unwrap();
        let config = config_for(&format!("{scheme}://{}", proxy.address()), &sandbox);
        Stage {
            sandbox,
            proxy,
            config,
        }
    }

    fn client(&self) -> Client {
        client_with(&self.config)
    }

    fn cut_reply(&self, on: On, at: u64) {
        self.sandbox
            .fault(FaultRule::new(on, Fault::Truncate { at }));
    }
}

/// What the exchanges with the key and with the refresh token carry, uncut.
fn whole(make: fn() -> Sandbox) -> (Carried, Carried) {
    let stage = Stage::new(make());
    let client = stage.client();
    client.get_token().unwrap();
    let key = stage.proxy.take_carried();
    client.refresh().unwrap();
    (key, stage.proxy.take_carried())
}

/// Cuts after so many bytes, in threads with a stage each.
fn cut_at(offsets: StepBy<Range<u64>>, make: fn() -> Sandbox, cut: impl Fn(&Stage, u64) + Sync) {
    let (count, start) = (offsets.clone().count(), Instant::now());
    let offsets = Mutex::new(offsets);
    let next = || offsets.lock().next();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let stage = Stage::new(make());
                while let Some(at) = next() {
                    cut(&stage, at);
                }
                assert_no_refresh_token_came_twice(&stage.sandbox);
            });
        }
    });
    println!("{count} offsets in {:?}", start.elapsed());
}

/// The first token is lost: there is none, and the next try gets one.
fn lose_first_token(client: &Client, at: u64) {
    let error = client.get_token().unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "byte {at}: {error}");
    assert_eq!(client.token_id(), None, "byte {at}");
    client.authenticate().unwrap();
}

/// A refresh is lost: the token at hand is still served, its refresh token is not sent again, and
/// the key helps.
fn lose_refresh(client: &Client, at: u64) {
    let held = client.token_id();
    let error = client.refresh().unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "byte {at}: {error}");
    assert_eq!(client.token_id(), held, "byte {at}");
    let error = client.refresh().unwrap_err();
    assert_eq!(error.status, Status::NoRefreshToken, "byte {at}: {error}");
    client.authenticate().unwrap();
    assert_ne!(client.token_id(), held, "byte {at}");
}

#[test]
fn no_byte_of_a_lost_reply_makes_a_token_or_a_replay() {
    let (key, refresh) = whole(common::sandbox);
    assert_eq!(key.reply, refresh.reply);
    cut_at(
        (0..key.reply).step_by(cut_step()),
        common::sandbox,
        |stage, at| {
            let client = stage.client();
            stage.cut_reply(On::ApiKey, at);
            lose_first_token(&client, at);
            stage.cut_reply(On::Refresh, at);
            lose_refresh(&client, at);
        },
    );
    let stage = Stage::new(common::sandbox());
    stage.cut_reply(On::ApiKey, key.reply);
    stage.client().get_token().unwrap();
}

#[test]
fn no_byte_of_a_lost_request_makes_a_replay() {
    let (key, refresh) = whole(common::sandbox);
    // The last cut is behind the whole request.
    let last = refresh.request + 1;
    cut_at(
        (0..last).step_by(cut_step()),
        common::sandbox,
        |stage, at| {
            let client = stage.client();
            if at <= key.request {
                stage.proxy.strike_next(Way::CutRequest(at));
                lose_first_token(&client, at);
            } else {
                client.get_token().unwrap();
            }
            stage.proxy.strike_next(Way::CutRequest(at));
            lose_refresh(&client, at);
        },
    );
}

/// In a handshake nothing is spent; behind it, what the server may have seen is.
#[test]
fn a_lost_tls_connection_spends_no_more_than_it_must_and_makes_no_replay() {
    let (_, refresh) = whole(common::tls_sandbox);
    let offsets = (0..refresh.reply - CLOSE_NOTIFY).step_by(47);
    cut_at(offsets, common::tls_sandbox, |stage, at| {
        let client = stage.client();
        let held = client.get_token().unwrap().id();
        let most = Carried {
            reply: at,
            ..Carried::ALL
        };
        let way = Way::Cut(stage.sandbox.address(), most);
        stage.proxy.strike_next(way);
        let error = client.refresh().unwrap_err();
        let lost = matches!(error.status, Status::NetworkError | Status::TlsError);
        assert!(lost, "byte {at}: {error}");
        assert_eq!(client.token_id(), Some(held), "byte {at}");
        match client.refresh() {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.status, Status::NoRefreshToken, "byte {at}: {error}");
                assert!(
                    at > SERVER_HELLO,
                    "byte {at}: nothing was sent, so nothing is spent"
                );
                client.authenticate().unwrap();
            }
        }
        assert_ne!(client.token_id(), Some(held), "byte {at}");
    });
}

/// What ends a connection in TLS 1.3, behind the whole reply.
const CLOSE_NOTIFY: u64 = 24;
/// Shorter than what a server must send before it is sent a request, even where it resumes a
/// session.
const SERVER_HELLO: u64 = 200;
