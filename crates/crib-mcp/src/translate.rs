//! Translation between the dialects of the revisions, by splicing: what need not change keeps its bytes.

#[cfg(test)]
mod tests;

mod content;
mod failure;
mod input;
mod item;
mod lifecycle;
mod outcome;
mod report;
mod schema;
mod task;

pub use failure::error;
pub use input::{input_request_down, input_request_up, input_response_down, input_response_up};
pub use item::list_item;
pub use lifecycle::{discover_result, initialize_result};
pub use outcome::result;
pub use report::event;
pub use task::{Inlined, task_get_up, task_up};
