//! Finding room: axis ticks, label positions that do not collide, text broken into lines.

/// Round values from 0 up to at most `top`, about `wanted` of them: steps of 1, 2, 2.5 or 5 times
/// a power of ten.
pub(super) fn ticks(top: f64, wanted: usize) -> Vec<f64> {
    if top <= 0.0 || !top.is_finite() {
        return vec![0.0];
    }
    let raw = top / wanted as f64;
    let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = power * steps.into_iter().find(|step| step * power >= raw).unwrap_or(10.0);
    (0..)
        .map(|index| f64::from(index) * step)
        .take_while(|value| *value <= top * 1.000_001)
        .collect()
}

/// Moves positions apart until neighbours are `space` apart, inside `low..=high`, with the least
/// sum of squared moves. `wanted` must ascend; the order is kept. Where they cannot fit at that
/// distance they share the room evenly.
pub(super) fn spread_out(wanted: &[f64], space: f64, low: f64, high: f64) -> Vec<f64> {
    let Some(gaps) = wanted.len().checked_sub(1) else { return Vec::new() };
    let space = if gaps == 0 { space } else { space.min((high - low) / gaps as f64) };
    // With the spacing taken out, the positions only have to ascend: pool adjacent violators.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (index, value) in wanted.iter().enumerate() {
        let mut pool = (value - index as f64 * space, 1);
        while let Some(&(mean, count)) = pools.last().filter(|(mean, _)| *mean > pool.0) {
            let total = count + pool.1;
            let sum = mean * count as f64 + pool.0 * pool.1 as f64;
            pool = (sum / total as f64, total);
            pools.pop();
        }
        pools.push(pool);
    }
    let highest = high - gaps as f64 * space;
    let flat = pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    flat.enumerate()
        .map(|(index, value)| value.min(highest).max(low) + index as f64 * space)
        .collect()
}

/// Words filled into lines no wider than `room`, at most `most` of them; what does not fit is
/// cut, with three dots.
pub(super) fn broken(
    text: &str,
    room: f64,
    most: usize,
    width: impl Fn(&str) -> f64,
) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a last line");
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || width(&longer) <= room {
            *line = longer;
        } else {
            lines.push(word.to_owned());
        }
    }
    let cut = lines.len() > most;
    lines.truncate(most.max(1));
    let last = lines.last_mut().expect("at least one line is kept");
    *last = shortened(last, room, cut, width);
    lines
}

/// A line cut to `room` with three dots; `always` puts the dots even where the line fits.
pub(super) fn shortened(
    line: &str,
    room: f64,
    always: bool,
    width: impl Fn(&str) -> f64,
) -> String {
    if !always && width(line) <= room {
        return line.to_owned();
    }
    let mut kept = line.to_owned();
    while !kept.is_empty() && width(&format!("{kept}...")) > room {
        kept.pop();
    }
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(525.0, 5), [0.0, 200.0, 400.0]);
        assert_eq!(ticks(1.05, 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(0.0, 5), [0.0]);
    }

    #[test]
    fn labels_do_not_collide_and_keep_their_order() {
        let placed = spread_out(&[10.0, 11.0, 12.0, 90.0], 16.0, 0.0, 100.0);
        for pair in placed.windows(2) {
            assert!(pair[1] - pair[0] >= 16.0 - 1e-9, "{placed:?}");
        }
        assert!(placed[0] >= 0.0 && placed[3] <= 100.0, "{placed:?}");
        // Those with room stay where they want to be.
        assert_eq!(placed[3], 90.0);
        // Too many for the room: evenly shared.
        let crowded = spread_out(&[5.0; 11], 16.0, 0.0, 100.0);
        assert!((crowded[0], crowded[10]) == (0.0, 100.0) && crowded[1] == 10.0, "{crowded:?}");
        assert!(spread_out(&[], 16.0, 0.0, 100.0).is_empty());
    }

    #[test]
    fn lines_break_between_words() {
        let width = |text: &str| text.len() as f64;
        assert_eq!(broken("one two three", 7.0, 3, width), ["one two", "three"]);
        assert_eq!(broken("one two three four", 8.0, 2, width), ["one two", "three..."]);
        assert_eq!(broken("unbreakable", 8.0, 2, width), ["unbre..."]);
        assert_eq!(broken("", 8.0, 2, width), [""]);
    }
}
