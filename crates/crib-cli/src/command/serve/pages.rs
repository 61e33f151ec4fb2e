//! The plain HTTP interface of a gateway whose configuration may change.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use crib_control::Compiled;
use crib_mcp::Chunks;
use crib_model::BoxFuture;
use crib_transport::Routes;
use http::{Request, Response};
use parking_lot::RwLock;

use crate::instance::{Instance, PlainHttp};

/// The pages as the configuration in effect has them.
#[derive(Debug)]
pub(super) struct Pages(RwLock<Arc<PlainHttp>>);

impl Pages {
    pub(super) fn new(instance: &Instance, compiled: &Compiled) -> Arc<Self> {
        Arc::new(Self(RwLock::new(instance.routes(compiled))))
    }

    /// Goes over to another configuration; requests under way are not disturbed.
    pub(super) fn renew(&self, instance: &Instance, compiled: &Compiled) {
        *self.0.write() = instance.routes(compiled);
    }
}

impl Routes for Pages {
    fn handle(&self, request: Request<Bytes>, peer: IpAddr) -> BoxFuture<'static, Response<Chunks>> {
        self.0.read().handle(request, peer)
    }
}
