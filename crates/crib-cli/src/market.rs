//! The registries of this user, asked with this user's secrets.

pub(crate) mod file;

use std::sync::Arc;

use crib_control::secrets::fault;
use crib_market::{Market, MarketOptions, OFFICIAL, Registries, Registry, Reveal};
use crib_model::{Code, Fault};
use crib_policy::SecretString;
use crib_store::SecretName;
use crib_transport::{ClientOptions, HttpClient};

use crate::failure::Failure;
use crate::machine::Machine;
use crate::pins::secrets;
use crate::shop;
use crate::world::variable;

/// Stands for the registries of the data directory: one address, asked alone.
pub(crate) const REGISTRY: &str = "TOOLCRIB_REGISTRY";

/// Returns the registries that are kept.
pub(crate) fn book() -> Result<Registries, Failure> {
    Ok(Registries::of(&shop::data()?))
}

/// Opens the registries; `only` is the name of one, or an address that stands for them all.
pub(crate) fn open(only: Option<&str>) -> Result<Market, Failure> {
    let only = only.map(str::to_owned).or_else(|| variable(REGISTRY).filter(|text| !text.is_empty()));
    let address = only.as_deref().filter(|only| only.contains("://"));
    let registries = match address {
        Some(url) => vec![named(url)?],
        None => book()?.list()?,
    };
    let options = MarketOptions {
        data: shop::data()?,
        http: HttpClient::new(ClientOptions::default())?,
        clock: Arc::new(Machine),
        reveal: Arc::new(Own),
        registries,
    };
    let market = Market::new(options);
    Ok(match only.filter(|only| !only.contains("://")) {
        Some(name) => market.only(&name)?,
        None => market,
    })
}

/// One that is known by its address has its name and its credentials; another one has the name of its host.
fn named(url: &str) -> Result<Registry, Failure> {
    let given = Registry::new(OFFICIAL, url, &[])?;
    let known = book()?.list()?.into_iter().find(|known| known.url == given.url);
    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).unwrap_or(OFFICIAL);
    Ok(match known {
        Some(known) => known,
        None => Registry::new(host, url, &[]).unwrap_or(given),
    })
}

/// This user's own secrets and variables.
struct Own;

impl Reveal for Own {
    fn secret(&self, name: &str) -> Result<SecretString, Fault> {
        let missing = || Fault::new(Code::SecretMissing, format!("there is no secret {name}")).hint(format!("toolcrib secret set {name}"));
        let parsed = SecretName::parse(name).map_err(|_odd| missing())?;
        let kept = secrets().map_err(|failure| Fault::new(Code::SecretsUnusable, failure.one_line()))?;
        let mut values = kept.values([parsed.clone()]).map_err(|error| fault(&error))?;
        values.remove(&parsed).ok_or_else(missing)
    }

    fn variable(&self, name: &str) -> Option<String> {
        variable(name)
    }
}
