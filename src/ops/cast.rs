//! Conversions: Cast, CastLike, BitCast.

use super::Op;

pub(super) const OPS: &[Op] = &[];
