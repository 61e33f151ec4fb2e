//! The inspector against small servers with known faults, and against real ones.

mod bridge;
mod faults;
mod fixture;
mod grades;
mod real;
mod recordings;
mod suite;
mod talk;
