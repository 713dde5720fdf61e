//! The upload's tests: a state, a server by api.video's rules and time, all simulated: as
//! scenarios, every small case, and at random.

mod every_case;
mod randomized;
mod scenarios;
mod simulator;
