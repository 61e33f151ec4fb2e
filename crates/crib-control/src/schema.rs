//! The JSON schema of the configuration.

use schemars::generate::SchemaSettings;

use crate::config::Config;

/// Returns the JSON schema of the configuration, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Toolcrib configuration".into());
    schema.to_value()
}
