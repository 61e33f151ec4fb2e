//! One tool for each kind of content that is not plain text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_mcp::RpcError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::demo::resources;
use crate::demo::tool::{Context, Said, Tool};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Image {}

impl Tool for Image {
    const NAME: &'static str = "image";
    const TITLE: &'static str = "Image";
    const DESCRIPTION: &'static str = "Returns a small PNG picture of a crib. 返回一张小图片。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        Ok(Said::content(&json!({ "type": "image", "data": STANDARD.encode(resources::PICTURE), "mimeType": "image/png" })))
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Audio {}

impl Tool for Audio {
    const NAME: &'static str = "audio";
    const TITLE: &'static str = "Audio";
    const DESCRIPTION: &'static str = "Returns a short beep as WAV audio. 返回一段短音频。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        Ok(Said::content(&json!({ "type": "audio", "data": STANDARD.encode(beep()), "mimeType": "audio/wav" })))
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Embed {}

impl Tool for Embed {
    const NAME: &'static str = "embedded_resource";
    const TITLE: &'static str = "Embedded resource";
    const DESCRIPTION: &'static str = "Returns a text resource inside the result. 返回内嵌资源。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        let resource = json!({ "uri": resources::README, "mimeType": "text/markdown", "text": resources::README_TEXT });
        Ok(Said::content(&json!({ "type": "resource", "resource": resource })))
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Link {}

impl Tool for Link {
    const NAME: &'static str = "resource_link";
    const TITLE: &'static str = "Resource link";
    const DESCRIPTION: &'static str = "Returns a link to a resource of this server. 返回资源链接。";

    async fn run(self, _: &Context) -> Result<Said, RpcError> {
        Ok(Said::content(&json!({
            "type": "resource_link", "uri": resources::README, "name": "readme", "mimeType": "text/markdown",
            "description": "What this server is",
        })))
    }
}

/// A tenth of a second of a 500 Hz square tone: 8 kHz, 8 bit, one channel.
fn beep() -> Vec<u8> {
    const RATE: u32 = 8000;
    const SAMPLES: u32 = RATE / 10;
    let mut wav = Vec::new();
    let mut put = |bytes: &[u8]| wav.extend_from_slice(bytes);
    put(b"RIFF");
    put(&(36 + SAMPLES).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16u32.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&RATE.to_le_bytes());
    put(&RATE.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&8u16.to_le_bytes());
    put(b"data");
    put(&SAMPLES.to_le_bytes());
    wav.extend((0..SAMPLES).map(|at| if at / 8 % 2 == 0 { 0xA0 } else { 0x60 }));
    wav
}
