//! Starting, stopping, and standing up to a crowd.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::thread;

use apivideo_sandbox::{Fault, FaultRule, On, Options, Sandbox};
use serde_json::json;

use crate::client::{Client, api_key, start, wait_until};

#[test]
fn only_loopback_addresses_are_listened_on() {
    let options = Options {
        host: Ipv4Addr::UNSPECIFIED.into(),
        ..Options::default()
    };
    let error = Sandbox::start(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "0.0.0.0 is not a loopback address");
}

#[test]
fn ipv6_works_with_and_without_tls() {
    for tls in [false, true] {
        let options = Options {
            host: Ipv6Addr::LOCALHOST.into(),
            tls,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).unwrap();
        assert!(sandbox.base_url().contains("://[::1]:"));
        assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
    }
}

#[test]
fn a_taken_port_is_an_error() {
    let sandbox = start();
    let options = Options {
        port: sandbox.address().port(),
        ..Options::default()
    };
    let error = Sandbox::start(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn dropping_closes_connections_and_frees_the_port() {
    let sandbox = start();
    let address = sandbox.address();
    let mut idle = Client::connect(&sandbox);
    assert_eq!(idle.authenticate().status, 200);
    // Even a request that hangs does not hold it up.
    sandbox.fault(FaultRule::new(On::Any, Fault::Hang { handled: true }));
    let mut hanging = Client::connect(&sandbox);
    hanging.send_post("/auth/api-key", &api_key());
    wait_until("it hangs", || sandbox.counters().api_key.ok == 2);

    drop(sandbox);
    assert!(idle.receive_all().0.is_empty());
    assert!(hanging.receive_all().0.is_empty());
    let options = Options {
        port: address.port(),
        ..Options::default()
    };
    let again = Sandbox::start(options).unwrap();
    assert_eq!(again.address(), address);
}

#[test]
fn connections_can_be_refused_for_a_while() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("refresh_token");
    for _ in 0..3 {
        sandbox.stop_listening().unwrap();
        sandbox.stop_listening().unwrap();
        let refused = TcpStream::connect(sandbox.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        sandbox.start_listening().unwrap();
        sandbox.start_listening().unwrap();
    }
    // Connections of before are closed; tokens live on.
    assert!(client.receive_all().0.is_empty());
    assert_eq!(Client::connect(&sandbox).refresh(&token).status, 200);
}

#[test]
fn the_handle_works_inside_an_asynchronous_test() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let sandbox = start();
        sandbox.stop_listening().unwrap();
        sandbox.start_listening().unwrap();
        assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
        let options = Options {
            port: sandbox.address().port(),
            ..Options::default()
        };
        assert!(Sandbox::start(options).is_err());
    });
}

#[test]
fn hundreds_of_connections_send_ten_thousand_requests() {
    let sandbox = start();
    let token = Client::connect(&sandbox)
        .authenticate()
        .text("access_token");
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let mut client = Client::connect(&sandbox);
                for _ in 0..50 {
                    assert_eq!(client.get("/videos", &token).status, 200);
                }
            });
        }
    });
    let counters = sandbox.counters();
    assert_eq!(counters.videos.ok, 10_000);
    assert_eq!(counters.connections, 201);
    assert!(
        sandbox
            .log()
            .iter()
            .zip(1..)
            .all(|(entry, seq)| entry.seq == seq)
    );
}

#[test]
fn of_many_refreshes_with_one_token_one_succeeds() {
    let sandbox = start();
    let token = Client::connect(&sandbox)
        .authenticate()
        .text("refresh_token");
    let body = json!({ "refreshToken": token });
    let statuses: Vec<u16> = thread::scope(|scope| {
        let send = || {
            Client::connect(&sandbox)
                .post("/auth/refresh", &body)
                .status
        };
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(send)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1);
    assert_eq!(sandbox.counters().refresh.replayed, 49);
}
