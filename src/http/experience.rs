//! What was learnt of a host's addresses: which one to try first, and which ones last.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::dial::in_turns;

/// Of one host, and one client. Without a lock, which a forked child might find closed.
#[derive(Default)]
pub(crate) struct Experience(ArcSwapOption<Learnt>);

#[derive(Clone, Default)]
struct Learnt {
    /// An exchange came to its end there last.
    worked: Option<IpAddr>,
    /// Connected, and then nothing came of it: since the last that worked, the oldest first.
    failed: Vec<IpAddr>,
}

impl Experience {
    /// In this order the addresses should be tried.
    pub(crate) fn order(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let learnt = self.learnt();
        let mut order = in_turns(addresses);
        // Stable, so that equals stay in turns.
        order.sort_by_key(|address| {
            let failed = learnt.failed.iter().position(|each| each == address);
            let is_first = learnt.worked.as_ref() == Some(address);
            (failed.map_or(0, |at| at + 1), !is_first)
        });
        order
    }

    /// A reply came from there.
    pub(crate) fn worked(&self, address: IpAddr) {
        self.0.store(Some(Arc::new(Learnt {
            worked: Some(address),
            failed: Vec::new(),
        })));
    }

    /// It could be connected to, and no reply came.
    pub(crate) fn failed(&self, address: IpAddr) {
        let mut learnt = self.learnt();
        learnt.worked = learnt.worked.filter(|worked| *worked != address);
        learnt.failed.retain(|each| *each != address);
        learnt.failed.push(address);
        self.0.store(Some(Arc::new(learnt)));
    }

    fn learnt(&self) -> Learnt {
        self.0
            .load()
            .as_ref()
            .map_or_else(Learnt::default, |learnt| Learnt::clone(learnt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_worked_comes_first_and_what_failed_last_the_oldest_failure_before_the_others() {
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let experience = Experience::default();
        let order = |experience: &Experience| experience.order(&[a, b, c, six]);
        assert_eq!(order(&experience), [a, six, b, c]);
        experience.failed(a);
        assert_eq!(order(&experience), [six, b, c, a]);
        experience.failed(six);
        experience.failed(b);
        assert_eq!(order(&experience), [c, a, six, b]);
        experience.failed(a);
        assert_eq!(order(&experience), [c, six, b, a]);
        experience.worked(b);
        assert_eq!(order(&experience), [b, a, six, c]);
        experience.failed(b);
        assert_eq!(order(&experience), [a, six, c, b]);
        assert!(experience.order(&[]).is_empty());
    }
}
