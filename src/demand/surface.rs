//! A product in which people meet the assistant.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Growth;
use crate::units::{RequestsPerDay, Share, Users};

/// One surface: WhatsApp, Instagram, Facebook, Messenger, the Meta AI app, glasses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    /// Name for people.
    pub label: String,
    /// People who use the surface on a day. People use several surfaces: do not add these up.
    pub daily_users: Growth<Users>,
    /// Share of them who use the assistant here on that day. A person who uses it on two
    /// surfaces counts where they use it most, so that assistant users do add up.
    pub adoption: Growth<Share>,
    /// User requests of such a person on such a day.
    pub requests: Growth<RequestsPerDay>,
    /// Share of the surface's users by region; sums to 100 %.
    pub regions: BTreeMap<String, Share>,
    /// Workloads that the surface offers.
    pub workloads: Vec<String>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
