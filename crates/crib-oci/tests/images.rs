//! Images of a registry of our own on loopback: honest ones are unpacked as they are, and of the others nothing is used.

#[cfg(test)]
#[path = "images/attacks.rs"]
mod attacks;
#[cfg(test)]
#[path = "images/fetched.rs"]
mod fetched;
#[cfg(test)]
#[path = "images/layers.rs"]
mod layers;
#[cfg(test)]
#[path = "images/shelf.rs"]
mod shelf;
#[cfg(test)]
#[path = "images/world.rs"]
mod world;
