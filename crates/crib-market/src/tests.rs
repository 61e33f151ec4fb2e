//! Registries on this machine: good, slow, large, broken and gone.

mod registry;
mod resolving;
mod searching;
