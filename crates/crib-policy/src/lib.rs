//! Who may do what: API keys, rules, argument checks, and the permit without which nothing is called.
//!
//! Invariants
//! - A [`Permit`] is made by [`authorize`] alone, so a call that nobody authorised does not compile.
//! - What a caller may not use and what does not exist are answered alike.
//! - Secrets have no `Debug` and are compared by keyed hash only.

#[cfg(test)]
mod dice;

mod keys;
mod permit;
mod rules;
mod seal;
mod secret;
mod validate;

pub use keys::{KeySecret, KeySpec, Keys, digest_key, generate_key, is_own_key};
pub use permit::{Ask, Permit, Refusal, authorize, unknown};
pub use rules::{Allowed, Kind, RuleSet, RuleSpec, Rules};
pub use seal::{Purpose, Seal};
pub use secrecy::{ExposeSecret, SecretString};
pub use secret::Redacted;
pub use validate::{Problem, SchemaUnusable, Validator, Validators};
