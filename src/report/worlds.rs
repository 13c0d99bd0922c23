//! `worlds.parquet`: every world in every year, for other programs to query.

use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::data_type::{DoubleType, Int32Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::plan::{Answer, WorldYear};

type OfWorldYear = fn(&WorldYear) -> f64;

/// The columns after `world` and `year`, named with their units.
const COLUMNS: [(&str, OfWorldYear); 29] = [
    ("daily_users_people", |row| row.daily_users),
    ("user_requests_per_day", |row| row.user_requests_per_day),
    ("engine_calls_per_day", |row| row.engine_calls_per_day),
    ("tokens_in_per_day", |row| row.tokens_in_per_day),
    ("tokens_cached_per_day", |row| row.tokens_cached_per_day),
    ("tokens_out_per_day", |row| row.tokens_out_per_day),
    ("peak_demand_reference_gpus", |row| row.peak_demand),
    ("own_capacity_reference_gpus", |row| row.own_capacity),
    ("need_candidate_gpus", |row| row.need_gpus),
    ("need_reference_gpus", |row| row.need_reference),
    ("gap_candidate_gpus", |row| row.gap_gpus),
    ("contracted_gpus", |row| row.contracted_gpus),
    ("contracted_for_assistant_gpus", |row| row.contracted_for_assistant_gpus),
    ("reference_gpus_per_candidate_gpu", |row| row.reference_per_candidate),
    ("cost_contracts_usd", |row| row.cost_contracts),
    ("cost_on_demand_usd", |row| row.cost_on_demand),
    ("cost_gap_usd", |row| row.cost_gap),
    ("lole_own_h_per_yr", |row| row.lole_own),
    ("lole_with_contracts_h_per_yr", |row| row.lole_with_contracts),
    ("eue_own_calls_per_yr", |row| row.unserved_calls_own),
    ("eue_own_output_tokens_per_yr", |row| row.unserved_output_tokens_own),
    ("eue_own_reference_gpu_h_per_yr", |row| row.unserved_gpu_hours_own),
    ("eue_with_contracts_calls_per_yr", |row| row.unserved_calls),
    ("eue_with_contracts_output_tokens_per_yr", |row| row.unserved_output_tokens),
    ("eue_with_contracts_reference_gpu_h_per_yr", |row| row.unserved_gpu_hours),
    ("deferrable_misses_share", |row| row.deferrable_misses),
    ("borrowed_reference_gpu_h_per_yr", |row| row.borrowed_gpu_hours),
    ("degraded_calls_per_yr", |row| row.degraded_calls),
    ("returned_calls_per_yr", |row| row.returned_calls),
];

/// The worlds as Parquet: one row group, snappy, no nulls. Its key-value metadata
/// (`sparkgap.hash`, `sparkgap.seed`, `sparkgap.version`, `sparkgap.schema`) says which run it
/// was; the same answer gives the same bytes.
#[must_use]
pub fn worlds_parquet(answer: &Answer) -> Vec<u8> {
    written(answer).expect("memory takes every byte, and the columns follow the schema")
}

fn written(answer: &Answer) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let from = &answer.provenance;
    let properties = properties(&from.hash, from.seed, answer.schema);
    let mut file =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema()?), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let rows = &answer.worlds;
    // Parquet has no unsigned physical type; world numbers stay far below the sign bit.
    let worlds: Vec<i32> = rows.iter().map(|row| row.world.cast_signed()).collect();
    let years: Vec<i32> = rows.iter().map(|row| i32::from(row.year)).collect();
    integers(&mut group, &worlds)?;
    integers(&mut group, &years)?;
    for (_, of) in COLUMNS {
        let values: Vec<f64> = rows.iter().map(of).collect();
        if let Some(mut column) = group.next_column()? {
            column.typed::<DoubleType>().write_batch(&values, None, None)?;
            column.close()?;
        }
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

pub(super) fn integers<W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[i32],
) -> Result<()> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<Int32Type>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}

fn schema() -> Result<Type> {
    let field = |name: &str, kind| {
        let leaf = Type::primitive_type_builder(name, kind);
        leaf.with_repetition(Repetition::REQUIRED).build().map(Arc::new)
    };
    let mut fields = vec![field("world", Physical::INT32)?, field("year", Physical::INT32)?];
    for (name, _) in COLUMNS {
        fields.push(field(name, Physical::DOUBLE)?);
    }
    Type::group_type_builder("worlds").with_fields(fields).build()
}

/// Snappy, and which run it was.
pub(super) fn properties(hash: &str, seed: u64, schema: u32) -> WriterProperties {
    let version = env!("CARGO_PKG_VERSION");
    let metadata = [
        ("sparkgap.hash", hash.to_owned()),
        ("sparkgap.seed", seed.to_string()),
        ("sparkgap.version", version.to_owned()),
        ("sparkgap.schema", schema.to_string()),
    ];
    let metadata = metadata.map(|(key, value)| KeyValue::new(key.to_owned(), value));
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("sparkgap {version}"))
        .set_key_value_metadata(Some(metadata.to_vec()))
        .build()
}
