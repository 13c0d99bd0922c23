//! Linear programs by the dense simplex method, the plain way, with a certificate: the answer's
//! dual prices prove that nothing better exists.

/// Values below this are nothing.
const TINY: f64 = 1e-9;

/// A best answer of `maximise values . x, rows x <= limits, x >= 0` with limits of 0 or more.
pub struct Best {
    /// The largest value.
    pub value: f64,
    /// What is taken of each column.
    pub taken: Vec<f64>,
    /// What one more unit of each limit would be worth.
    pub prices: Vec<f64>,
}

/// Largest ratio rule for the column, smallest ratio for the row; after many steps the first
/// column that gains (Bland 1977), which ends on every problem.
pub fn maximise(values: &[f64], rows: &[Vec<f64>], limits: &[f64]) -> Best {
    let (count, height) = (values.len(), rows.len());
    let width = count + height + 1;
    let mut table: Vec<Vec<f64>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = row.clone();
        line.resize(width, 0.0);
        line[count + index] = 1.0;
        line[width - 1] = limits[index];
        table.push(line);
    }
    let mut gain: Vec<f64> = values.to_vec();
    gain.resize(width, 0.0);
    let mut basis: Vec<usize> = (count..count + height).collect();
    for step in 0.. {
        let open = (0..width - 1).filter(|column| gain[*column] > TINY);
        let entering = if step < 20 * height {
            open.max_by(|a, b| gain[*a].total_cmp(&gain[*b]))
        } else {
            open.min()
        };
        let Some(entering) = entering else { break };
        let ratio = |row: usize| table[row][width - 1] / table[row][entering];
        let leaving = (0..height)
            .filter(|row| table[*row][entering] > TINY)
            .min_by(|a, b| ratio(*a).total_cmp(&ratio(*b)).then(basis[*a].cmp(&basis[*b])));
        let leaving = leaving.expect("every column is limited");
        basis[leaving] = entering;
        let pivot = table[leaving][entering];
        for value in &mut table[leaving] {
            *value /= pivot;
        }
        let lead = table[leaving].clone();
        let others = (0..height).filter(|row| *row != leaving);
        for row in others {
            subtract(&mut table[row], &lead, entering);
        }
        subtract(&mut gain, &lead, entering);
    }
    let mut taken = vec![0.0; count];
    for (row, column) in basis.iter().enumerate().filter(|(_, column)| **column < count) {
        taken[*column] = table[row][width - 1];
    }
    let prices = gain[count..count + height].iter().map(|gain| -gain).collect();
    Best { value: -gain[width - 1], taken, prices }
}

fn subtract(line: &mut [f64], lead: &[f64], column: usize) {
    let factor = line[column];
    if factor != 0.0 {
        for (value, above) in line.iter_mut().zip(lead) {
            *value -= factor * above;
        }
    }
}

impl Best {
    /// Panics unless the answer is legal and its prices prove that none is better: every column
    /// costs at least its value at them, and all limits together are worth the value.
    pub fn prove(&self, values: &[f64], rows: &[Vec<f64>], limits: &[f64]) {
        let scale = self.value.abs().max(1.0);
        for (row, limit) in rows.iter().zip(limits) {
            let used: f64 = row.iter().zip(&self.taken).map(|(a, x)| a * x).sum();
            assert!(used <= limit + 1e-7 * limit.abs().max(1.0), "{used} of {limit}");
        }
        assert!(self.taken.iter().chain(&self.prices).all(|value| *value >= -1e-7 * scale));
        for (column, value) in values.iter().enumerate() {
            let cost: f64 =
                rows.iter().zip(&self.prices).map(|(row, price)| row[column] * price).sum();
            assert!(cost >= value - 1e-7 * value.abs().max(1.0), "column {column}: {cost} {value}");
        }
        let worth: f64 = limits.iter().zip(&self.prices).map(|(limit, price)| limit * price).sum();
        assert!((worth - self.value).abs() <= 1e-7 * scale, "{worth} {}", self.value);
    }
}

#[test]
fn a_program_worked_by_hand() {
    // 3 x + 5 y with x <= 4, 2 y <= 12, 3 x + 2 y <= 18: x = 2, y = 6 (Dantzig's textbook case).
    let (values, limits) = ([3.0, 5.0], [4.0, 12.0, 18.0]);
    let rows = [vec![1.0, 0.0], vec![0.0, 2.0], vec![3.0, 2.0]];
    let best = maximise(&values, &rows, &limits);
    best.prove(&values, &rows, &limits);
    assert!((best.value - 36.0).abs() < 1e-9 && (best.taken[1] - 6.0).abs() < 1e-9);
}
