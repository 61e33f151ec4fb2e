//! A job that takes its time and tells how far it is.

use std::time::Duration;

use crib_mcp::RpcError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::demo::tool::{Context, Said, Tool};
use crate::level::Level;

const STEPS_MAX: u32 = 1000;
const DELAY_MS_MAX: u64 = 10_000;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Count {
    /// How many steps to take. 步数
    #[schemars(range(min = 1, max = 1000))]
    steps: u32,
    /// How long each step takes, in milliseconds. 每步毫秒数
    #[schemars(range(max = 10000))]
    delay_ms: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self { steps: 5, delay_ms: 200 }
    }
}

impl Tool for Count {
    const NAME: &'static str = "count";
    const TITLE: &'static str = "Count";
    const DESCRIPTION: &'static str = "Counts to `steps`, waiting `delayMs` at each step; reports progress and writes log lines. \
        A stand-in for any long job. 慢慢计数，并报告进度。";
    const SPEAKS: bool = true;

    async fn run(self, cx: &Context) -> Result<Said, RpcError> {
        if !(1..=STEPS_MAX).contains(&self.steps) || self.delay_ms > DELAY_MS_MAX {
            return Ok(Said::failure(&format!("`steps` is 1 to {STEPS_MAX}, `delayMs` at most {DELAY_MS_MAX}")));
        }
        cx.log(Level::Info, "counting starts").await;
        for step in 1..=self.steps {
            tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
            cx.progress(step, self.steps, &format!("step {step} of {}", self.steps)).await;
            cx.log(Level::Debug, &format!("step {step} done")).await;
        }
        cx.log(Level::Info, "counting ends").await;
        Ok(Said::text(format!("counted to {}", self.steps)))
    }
}
