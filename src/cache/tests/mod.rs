//! The cache's tests: a token's life in simulated time, told as scenarios and at random; its
//! threads; and their interleavings, tried by a model checker.

mod pictures;
mod plan;
mod randomized;
mod scenarios;
mod shared;
mod simulator;
mod store;

#[cfg(shuttle)]
mod interleavings;
#[cfg(not(shuttle))]
mod threads;
