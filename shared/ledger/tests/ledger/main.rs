//! The ledger from outside: what it keeps through crashes, and what it finds after somebody's hand was in it.

#![allow(clippy::unwrap_used)]

mod crash;
mod entries;
mod hands;
mod heads;
mod killed;
mod large;
mod rotation;
mod second_verifier;
mod support;
mod tampering;
