//! Tools that return a line of text.

use crib_mcp::RpcError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::demo::tool::{Context, Said, Tool};
use crate::rfc3339;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Echo {
    /// What to say back. 要复述的内容
    message: String,
}

impl Tool for Echo {
    const NAME: &'static str = "echo";
    const TITLE: &'static str = "Echo";
    const DESCRIPTION: &'static str = "Returns the message as it is. 原样返回消息。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        Ok(Said::text(self.message))
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Now {}

impl Tool for Now {
    const NAME: &'static str = "now";
    const TITLE: &'static str = "Now";
    const DESCRIPTION: &'static str = "Returns the current date and time in UTC, as RFC 3339. 返回当前的 UTC 日期和时间。";

    async fn run(self, cx: &Context) -> Result<Said, RpcError> {
        Ok(Said::text(rfc3339::write(cx.clock.unix())))
    }
}
