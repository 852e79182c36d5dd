//! Mapping of values to pixels, with round ticks.

use crate::query::charts::decimals::tick_label;

/// An axis that includes zero.
pub(super) struct Scale {
    low: f64,
    high: f64,
    step: f64,
    from: i32,
    to: i32,
}

impl Scale {
    /// An axis over the values, drawn from one pixel to another, with about `ticks` ticks.
    pub(super) fn new(
        values: impl Iterator<Item = f64> + Clone,
        (from, to): (i32, i32),
        ticks: i32,
    ) -> Scale {
        let low = values.clone().fold(0.0, f64::min);
        let high = values.fold(0.0, f64::max);
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / f64::from(ticks.max(1)));
        Scale {
            low,
            high,
            step,
            from,
            to,
        }
    }

    /// The axis, extended to end at ticks.
    pub(super) fn ending_at_ticks(self) -> Scale {
        Scale {
            low: (self.low / self.step).floor() * self.step,
            high: (self.high / self.step).ceil() * self.step,
            ..self
        }
    }

    /// Pixel of a value.
    pub(super) fn at(&self, value: f64) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// Pixel and label of each tick.
    pub(super) fn ticks(&self) -> Vec<(i32, String)> {
        let tolerance = 1e-9; // includes a tick at the very end
        let first = (self.low / self.step - tolerance).ceil() as i32;
        let last = (self.high / self.step + tolerance).floor() as i32;
        let value = |count: i32| f64::from(count) * self.step;
        let tick = |count| (self.at(value(count)), tick_label(value(count), self.step));
        (first..=last).map(tick).collect()
    }
}

/// Smallest step of at least `min` that is 1, 2 or 5 times a power of ten.
fn round_step(min: f64) -> f64 {
    let power = 10f64.powf(min.log10().floor());
    let steps = [1.0, 2.0, 5.0].into_iter().map(|step| step * power);
    let step = steps.into_iter().find(|step| *step >= min * 0.999_999);
    step.unwrap_or(10.0 * power)
}
