//! Id maps as a picture: two columns, one slope for each line of the map.

use vitrine_shared::discovery::Extent;

/// Height of one line of a map, and of what lies between two.
pub(crate) const BAND: u32 = 36;
pub(crate) const GAP: u32 = 12;

/// One line of a map, and where it stands in either column, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slope {
    pub(crate) extent: Extent,
    pub(crate) inside_at: u32,
    pub(crate) outside_at: u32,
}

impl Slope {
    /// The last id of the line, inside and on the host.
    pub(crate) fn last(&self) -> (u32, u32) {
        let more = self.extent.count.saturating_sub(1);
        (self.extent.inside.saturating_add(more), self.extent.outside.saturating_add(more))
    }
}

/// The lines in the order of their inner ids; on the host's side they stand in the order of the
/// host's. Places are ranks and not to scale: one id and 65,536 both must be legible.
pub(crate) fn slopes(extents: &[Extent]) -> Vec<Slope> {
    let mut by_inside = extents.to_vec();
    by_inside.sort_by_key(|extent| extent.inside);
    let mut by_outside = extents.to_vec();
    by_outside.sort_by_key(|extent| extent.outside);
    let at = |rank: usize| u32::try_from(rank).unwrap_or(0) * (BAND + GAP);
    let slope = |(rank, extent): (usize, &Extent)| {
        let outside = by_outside.iter().position(|other| other == extent).unwrap_or(rank);
        Slope { extent: *extent, inside_at: at(rank), outside_at: at(outside) }
    };
    by_inside.iter().enumerate().map(slope).collect()
}

/// Is every id the same inside and outside?
pub(crate) fn is_identity(extents: &[Extent]) -> bool {
    matches!(extents, [Extent { inside: 0, outside: 0, count: u32::MAX }])
}
