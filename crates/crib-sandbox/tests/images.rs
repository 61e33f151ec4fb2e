//! Servers in the root directory of an image.
#![cfg(target_os = "linux")]

#[cfg(test)]
#[path = "images/confined.rs"]
mod confined;
