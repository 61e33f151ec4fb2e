//! Tools that calculate.

use crib_mcp::RpcError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::demo::tool::{Context, Said, Tool};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Add {
    /// First summand. 被加数
    a: f64,
    /// Second summand. 加数
    b: f64,
}

impl Tool for Add {
    const NAME: &'static str = "add";
    const TITLE: &'static str = "Add";
    const DESCRIPTION: &'static str =
        "Adds two numbers: a + b. Use it for any sum, e.g. \"88 plus 22\" is 110. 加法：计算 a 加 b，例如“88 加 22”得 110。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        Ok(Said::text((self.a + self.b).to_string()))
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Subtract {
    /// What is subtracted from. 被减数
    a: f64,
    /// What is subtracted. 减数
    b: f64,
}

impl Tool for Subtract {
    const NAME: &'static str = "subtract";
    const TITLE: &'static str = "Subtract";
    const DESCRIPTION: &'static str =
        "Subtracts two numbers: a - b. Use it for any difference, e.g. \"88 minus 22\" is 66. 减法：计算 a 减 b，例如“88 减 22”得 66。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        Ok(Said::text((self.a - self.b).to_string()))
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Statistics {
    /// The numbers to look at. 要统计的数字
    #[schemars(length(min = 1))]
    numbers: Vec<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Summary {
    count: usize,
    min: f64,
    max: f64,
    mean: f64,
}

impl Tool for Statistics {
    const NAME: &'static str = "statistics";
    const TITLE: &'static str = "Statistics";
    const DESCRIPTION: &'static str =
        "Returns count, minimum, maximum and mean of a list of numbers, as structured output. 统计：个数、最小值、最大值、平均值。";

    fn output_schema() -> Option<Value> {
        Some(schemars::schema_for!(Summary).into())
    }

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        let count = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(Said::failure("`numbers` must hold at least one number"));
        }
        let fold = |f: fn(f64, f64) -> f64| self.numbers.iter().copied().reduce(f).unwrap_or_default();
        let mean = fold(|a, b| a + b) / f64::from(count);
        let summary = Summary { count: self.numbers.len(), min: fold(f64::min), max: fold(f64::max), mean };
        Ok(Said::structured(&json!(summary)))
    }
}
