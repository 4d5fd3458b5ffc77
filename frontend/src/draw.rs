//! The chart layer of the lenses: scales, and shapes as SVG paths. Pure: numbers in, text out.
//!
//! What is drawn a few times a second is put together here and set on elements that stand already;
//! the virtual DOM knows the elements and not their paths.

use std::fmt::Write;

/// From values to pixels, in a straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// Two values, not the same.
    pub(crate) values: (f64, f64),
    /// Where they are.
    pub(crate) pixels: (f64, f64),
}

impl Scale {
    /// Where a value is, at the edge when it is beyond.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (from, to) = self.values;
        let share = ((value - from) / (to - from)).clamp(0.0, 1.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// The value at a pixel.
    pub(crate) fn value(&self, pixel: f64) -> f64 {
        let share = ((pixel - self.pixels.0) / (self.pixels.1 - self.pixels.0)).clamp(0.0, 1.0);
        self.values.0 + share * (self.values.1 - self.values.0)
    }
}

/// A path under construction. Writing to a string cannot fail.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Path(pub(crate) String);

impl Path {
    /// A rectangle; none without a width.
    pub(crate) fn bar(&mut self, (x0, x1): (f64, f64), (y0, y1): (f64, f64)) {
        if x1 > x0 {
            let _ = write!(self.0, "M{x0:.1} {y0:.1}H{x1:.1}V{y1:.1}H{x0:.1}Z");
        }
    }

    /// A level line.
    pub(crate) fn level(&mut self, (x0, x1): (f64, f64), y: f64) {
        if x1 > x0 {
            let _ = write!(self.0, "M{x0:.1} {y:.1}H{x1:.1}");
        }
    }

    /// An upright line.
    pub(crate) fn upright(&mut self, x: f64, (y0, y1): (f64, f64)) {
        let _ = write!(self.0, "M{x:.1} {y0:.1}V{y1:.1}");
    }

    /// A line through points.
    pub(crate) fn line(&mut self, points: impl Iterator<Item = (f64, f64)>) {
        for (at, (x, y)) in points.enumerate() {
            let _ = write!(self.0, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
        }
    }

    /// Steps through points: each value holds for the time before its moment.
    pub(crate) fn steps(&mut self, points: impl Iterator<Item = (f64, f64)>) {
        for (at, (x, y)) in points.enumerate() {
            let _ = match at {
                0 => write!(self.0, "M{x:.1} {y:.1}"),
                _ => write!(self.0, "V{y:.1}H{x:.1}"),
            };
        }
    }

    /// The area between two lines of steps over the same moments, of which one is below.
    pub(crate) fn band(&mut self, upper: &[(f64, f64)], lower: &[(f64, f64)]) {
        let (Some((x, y)), Some((_, floor))) = (upper.first(), lower.first()) else { return };
        let _ = write!(self.0, "M{x:.1} {floor:.1}V{y:.1}");
        for (x, y) in &upper[1..] {
            let _ = write!(self.0, "V{y:.1}H{x:.1}");
        }
        // Back along the lower edge, whose steps are taken the other way round.
        for pair in lower.windows(2).rev() {
            let _ = write!(self.0, "V{:.1}H{:.1}", pair[1].1, pair[0].0);
        }
        let _ = write!(self.0, "V{floor:.1}Z");
    }

    /// A dot.
    pub(crate) fn dot(&mut self, (x, y): (f64, f64), r: f64) {
        let _ = write!(
            self.0,
            "M{:.1} {y:.1}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z",
            x - r,
            d = 2.0 * r
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_goes_there_and_back_and_stays_inside() {
        let scale = Scale { values: (0.0, 1_000.0), pixels: (100.0, 0.0) };
        assert_eq!((scale.at(250.0), scale.value(75.0)), (75.0, 250.0));
        assert_eq!((scale.at(-5.0), scale.at(5_000.0)), (100.0, 0.0));
        assert_eq!(scale.value(-10.0), 1_000.0);
    }

    #[test]
    fn shapes() {
        let mut path = Path::default();
        path.bar((1.0, 3.0), (10.0, 5.0));
        path.bar((3.0, 3.0), (10.0, 5.0));
        path.level((0.0, 9.0), 4.0);
        path.upright(2.0, (0.0, 8.0));
        path.line([(0.0, 0.0), (1.0, 2.0)].into_iter());
        assert_eq!(path.0, "M1.0 10.0H3.0V5.0H1.0ZM0.0 4.0H9.0M2.0 0.0V8.0M0.0 0.0L1.0 2.0");
        let mut steps = Path::default();
        steps.steps([(0.0, 5.0), (10.0, 2.0)].into_iter());
        assert_eq!(steps.0, "M0.0 5.0V2.0H10.0");
        let mut band = Path::default();
        band.band(&[(0.0, 5.0), (10.0, 2.0)], &[(0.0, 9.0), (10.0, 8.0)]);
        assert_eq!(band.0, "M0.0 9.0V5.0V2.0H10.0V8.0H0.0V9.0Z");
        band.band(&[], &[]);
        assert!(band.0.ends_with("V9.0Z"), "nothing is no band");
        let mut dot = Path::default();
        dot.dot((5.0, 6.0), 2.0);
        assert_eq!(dot.0, "M3.0 6.0a2 2 0 1 0 4 0a2 2 0 1 0 -4 0Z");
    }
}
