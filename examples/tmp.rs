use sparkgap::engine::*; use sparkgap::fleet::*; use sparkgap::scenario::*; use std::time::Instant;
fn main(){
 let text=std::fs::read_to_string("configs/muse_spark.ron").unwrap();
 let s=Scenario::from_ron(&text,"x").map_err(|e|println!("{e}")).unwrap();
 let rate=|i:&ServingInputs<'_>|->f64{
  let d=&s.deployments[i.workload]; let Some(l)=d.layouts.get(i.accelerator) else {return 0.0};
  let m=s.models[&d.model].scaled(i.size);
  let Some(r)=ReplicaModel::new(&s.hardware[i.accelerator],&m,l,d,i.speed) else {return 0.0};
  let means=CallShape::fixed(i.call.prompt as u32,i.call.cached,i.call.output as u32).means();
  let tpot=match &s.workloads[i.workload].service {sparkgap::demand::Service::Interactive{tpot_p99,..}=>Some(*tpot_p99),_=>None};
  fluid_capacity(&r,&means,tpot).map_or(0.0,|f|f.calls_per_second_per_gpu*0.7)
 };
 let t=Instant::now();
 let d=draw_world(&s,Draw::central(),&rate);
 println!("draw {:?}",t.elapsed());
 for y in &d.years {println!("{y:?}");}
 println!("pools {} classes {} changes {} ", d.world.pools.len(), d.world.classes.len(), d.world.changes.len());
 let t=Instant::now();
 let o=simulate(&d.world,sparkgap::rng::StreamKey::inner(1,0,0));
 println!("simulate {:?} = {} ns/epoch",t.elapsed(), t.elapsed().as_nanos()/d.world.epochs as u128);
 for y in &o.years {println!("{y:?}");}
 let w=s.workloads.keys().collect::<Vec<_>>();
 let m=30; let nw=d.world.workloads; let na=d.world.rates.len()/d.world.spans.len()/nw;
 println!("{w:?}");
 for a in 0..na {println!("{:?} ref {} cand {}", &d.world.rates[(m*na+a)*nw..(m*na+a+1)*nw], d.world.reference_worth[m*na+a], d.world.candidate_worth[m*na+a]);}
}
