BEGIN TRANSACTION;
CREATE TABLE log (seq INTEGER PRIMARY KEY, event TEXT NOT NULL, trial INTEGER, seconds REAL) STRICT;
INSERT INTO "log" VALUES(1,'ask',0,NULL);
INSERT INTO "log" VALUES(2,'ask',1,NULL);
INSERT INTO "log" VALUES(3,'ask',2,NULL);
INSERT INTO "log" VALUES(4,'ask',3,NULL);
INSERT INTO "log" VALUES(5,'ask',4,NULL);
INSERT INTO "log" VALUES(6,'ask',5,NULL);
INSERT INTO "log" VALUES(7,'ask',6,NULL);
INSERT INTO "log" VALUES(8,'ask',7,NULL);
INSERT INTO "log" VALUES(9,'tell',0,7.48191926999879797222e-01);
INSERT INTO "log" VALUES(10,'ask',8,NULL);
INSERT INTO "log" VALUES(11,'tell',1,7.52522698999655403895e-01);
INSERT INTO "log" VALUES(12,'ask',9,NULL);
INSERT INTO "log" VALUES(13,'tell',2,7.549889309998434328e-01);
INSERT INTO "log" VALUES(14,'ask',10,NULL);
INSERT INTO "log" VALUES(15,'tell',3,7.77909165999972174176e-01);
INSERT INTO "log" VALUES(16,'ask',11,NULL);
INSERT INTO "log" VALUES(17,'tell',4,8.00032109999847307335e-01);
INSERT INTO "log" VALUES(18,'ask',12,NULL);
INSERT INTO "log" VALUES(19,'tell',5,8.0161473399994065403e-01);
INSERT INTO "log" VALUES(20,'ask',13,NULL);
INSERT INTO "log" VALUES(21,'tell',6,5.52201552299993636552e+00);
INSERT INTO "log" VALUES(22,'ask',14,NULL);
INSERT INTO "log" VALUES(23,'tell',7,5.58965904299975591129e+00);
INSERT INTO "log" VALUES(24,'ask',15,NULL);
INSERT INTO "log" VALUES(25,'tell',8,5.8386051869997572794e+00);
INSERT INTO "log" VALUES(26,'tell',9,5.83909942899981615482e+00);
INSERT INTO "log" VALUES(27,'tell',10,5.87185344199997416581e+00);
INSERT INTO "log" VALUES(28,'tell',11,5.87221106899960432201e+00);
INSERT INTO "log" VALUES(29,'tell',12,5.87246895999987827963e+00);
INSERT INTO "log" VALUES(30,'tell',13,5.87270758599970577051e+00);
INSERT INTO "log" VALUES(31,'tell',14,5.87295190199984062928e+00);
INSERT INTO "log" VALUES(32,'tell',15,5.87320975299962810822e+00);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "meta" VALUES('schema','2');
INSERT INTO "meta" VALUES('config','{"schema": 1, "config": null, "space": "grid", "cardinalities": [6, 6, 6, 6, 6, 6], "objectives": ["min error", "min params", "min madds"], "limits": ["params <= 34"], "algorithm": "sa-moead", "algorithm_settings": {"initial": 6, "surrogate": "rbf", "whole_space": 20000, "pool": 60, "growth": 0.3, "reference": 0.1, "prefer": "", "repeats": 0.0}, "seed": 1, "concurrency": 8, "ordered": true, "fidelity": null, "halving": null, "warm_start": null, "loop": {"evaluations": 16, "seconds": null, "seed": 1, "concurrency": 8, "ordered": true, "fidelity": null, "halving": null, "max_failures": 0.5}, "versions": {"python": "3.11"}}');
INSERT INTO "meta" VALUES('identity','{"space": "grid", "cardinalities": [6, 6, 6, 6, 6, 6], "objectives": ["min error", "min params", "min madds"], "limits": ["params <= 34"], "algorithm": "sa-moead", "algorithm_settings": {"initial": 6, "surrogate": "rbf", "whole_space": 20000, "pool": 60, "growth": 0.3, "reference": 0.1, "prefer": "", "repeats": 0.0}, "seed": 1, "concurrency": 8, "ordered": true, "fidelity": null, "halving": null, "warm_start": null, "evaluations": 16}');
INSERT INTO "meta" VALUES('initial','6');
INSERT INTO "meta" VALUES('objectives','[{"name": "error", "unit": "%", "maximize": false, "cheap": false, "best": 0.0, "reference": null}, {"name": "params", "unit": "parameters", "maximize": false, "cheap": true, "best": 0.0, "reference": null}, {"name": "madds", "unit": "multiply-adds", "maximize": false, "cheap": true, "best": 0.0, "reference": null}]');
INSERT INTO "meta" VALUES('limits','["params <= 34"]');
INSERT INTO "meta" VALUES('warm_start','null');
CREATE TABLE notes (
    told INTEGER NOT NULL, kind TEXT NOT NULL, objective TEXT NOT NULL, "values" TEXT NOT NULL,
    PRIMARY KEY (told, kind, objective)
) STRICT;
INSERT INTO "notes" VALUES(6,'surrogate','error','{"objective": "error", "chosen": "rbf", "rows": 5, "tau": 0.0, "tau_low": -1.0, "tau_high": 1.0, "coverage": null, "calibration": 1.0, "rmse": null, "reliable": false, "text": "error: rbf: 5 results are too few to judge it; every other candidate is chosen for variety instead"}');
INSERT INTO "notes" VALUES(8,'surrogate','error','{"objective": "error", "chosen": "rbf", "rows": 7, "tau": 0.0, "tau_low": -1.0, "tau_high": 1.0, "coverage": null, "calibration": 1.0, "rmse": null, "reliable": false, "text": "error: rbf: 7 results are too few to judge it; every other candidate is chosen for variety instead"}');
CREATE TABLE results (
    trial INTEGER PRIMARY KEY REFERENCES trials(id), status TEXT NOT NULL, "values" TEXT NOT NULL,
    seconds REAL NOT NULL, error TEXT NOT NULL, worker TEXT NOT NULL, started REAL NOT NULL, finished REAL NOT NULL
) STRICT;
INSERT INTO "results" VALUES(0,'ok','{"error": 150.93042716167741, "params": 10.0, "madds": 0.0}',3.00249999781954102218e-04,'','host:1',1.795696024748259306e+09,1.79569602474855947492e+09);
INSERT INTO "results" VALUES(1,'ok','{"error": 26.997590418610702, "params": 34.0, "madds": 95.0}',5.9011100029238150455e-04,'','host:1',1.79569602477049708368e+09,1.79569602477108716961e+09);
INSERT INTO "results" VALUES(2,'failed','{}',1.24880000021221349015e-03,'ValueError: no such layer','host:1',1.79569602477253723146e+09,1.795696024773786068e+09);
INSERT INTO "results" VALUES(3,'ok','{"error": 35.28535582836409, "params": 27.0, "madds": 68.0}',1.82109999968815827742e-04,'','host:1',1.79569602479612183566e+09,1.79569602479630398752e+09);
INSERT INTO "results" VALUES(4,'ok','{"error": 59.90268579178929, "params": 23.0, "madds": 39.0}',1.15074999939679400995e-04,'','host:1',1.7956960247979750633e+09,1.79569602479809021945e+09);
INSERT INTO "results" VALUES(5,'ok','{"error": 99.88810609607258, "params": 17.0, "madds": 29.0}',1.52533999880688497796e-04,'','host:1',1.79569602482007622721e+09,1.79569602482022881509e+09);
INSERT INTO "results" VALUES(6,'ok','{"error": 51.75590534546161, "params": 25.0, "madds": 47.0}',0.000425353999617073,'','host:1',1.795696029523784399e+09,1.79569602952420973775e+09);
INSERT INTO "results" VALUES(7,'ok','{"error": 93.42137190617218, "params": 17.0, "madds": 29.0}',1.98609999642940238118e-04,'','host:1',1.79569602960805177688e+09,1.79569602960825037952e+09);
INSERT INTO "results" VALUES(8,'ok','{"error": 23.815905825207892, "params": 31.0, "madds": 71.0}',1.76289000137330731377e-04,'','host:1',1.79569602985708546638e+09,1.79569602985726165769e+09);
INSERT INTO "results" VALUES(9,'ok','{"error": 14.196285598669117, "params": 34.0, "madds": 83.0}',1.10156000118877273052e-04,'','host:1',1.79569602985778307914e+09,1.79569602985789322857e+09);
INSERT INTO "results" VALUES(10,'ok','{"error": 24.019520442698862, "params": 30.0, "madds": 79.0}',1.92670000160433119162e-04,'','host:1',1.79569602989034891133e+09,1.79569602989054155346e+09);
INSERT INTO "results" VALUES(11,'ok','{"error": 120.92488250486076, "params": 14.0, "madds": 16.0}',7.10819999767409171909e-05,'','host:1',1.79569602989102649693e+09,1.79569602989109754565e+09);
INSERT INTO "results" VALUES(12,'ok','{"error": 92.30252550533022, "params": 20.0, "madds": 35.0}',5.33100001121056266129e-05,'','host:1',1.79569602989132332806e+09,1.79569602989137673378e+09);
INSERT INTO "results" VALUES(13,'ok','{"error": 53.96944691039529, "params": 25.0, "madds": 47.0}',4.94930000058957375586e-05,'','host:1',1.79569602989157891268e+09,1.79569602989162850374e+09);
INSERT INTO "results" VALUES(14,'ok','{"error": 134.58815578478078, "params": 12.0, "madds": 12.0}',5.02139996569894719868e-05,'','host:1',1.79569602989181661611e+09,1.7956960298918669224e+09);
INSERT INTO "results" VALUES(15,'ok','{"error": 52.20918373433497, "params": 26.0, "madds": 46.0}',4.88119999317859765142e-05,'','host:1',1.79569602989206075663e+09,1.79569602989210963246e+09);
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, architecture TEXT NOT NULL, seed INTEGER NOT NULL, budget REAL, asked_at REAL NOT NULL
) STRICT;
INSERT INTO "trials" VALUES(0,'0-0-0-0-0-0',2052358322,NULL,1.79569602451916694643e+09);
INSERT INTO "trials" VALUES(1,'0-5-5-5-4-5',1607784262,NULL,1.79569602452006697656e+09);
INSERT INTO "trials" VALUES(2,'2-3-1-2-5-2',1779595570,NULL,1.79569602453926706309e+09);
INSERT INTO "trials" VALUES(3,'1-2-4-3-3-4',1750010135,NULL,1.79569602453978419305e+09);
INSERT INTO "trials" VALUES(4,'4-1-2-4-1-1',612328819,NULL,1.79569602454027724266e+09);
INSERT INTO "trials" VALUES(5,'1-1-0-0-4-1',454173143,NULL,1.79569602454069972034e+09);
INSERT INTO "trials" VALUES(6,'4-4-0-3-1-3',84512494,NULL,1.79569602454123687746e+09);
INSERT INTO "trials" VALUES(7,'1-0-1-1-3-1',1796386333,NULL,1.79569602454172372817e+09);
INSERT INTO "trials" VALUES(8,'5-2-3-4-5-2',1981933930,NULL,1.79569602476820158959e+09);
INSERT INTO "trials" VALUES(9,'4-5-3-5-2-5',1241430364,NULL,1.79569602477235364915e+09);
INSERT INTO "trials" VALUES(10,'1-3-4-4-4-4',2028548560,NULL,1.79569602479557037348e+09);
INSERT INTO "trials" VALUES(11,'1-0-0-0-3-0',288016657,NULL,1.79569602479776215548e+09);
INSERT INTO "trials" VALUES(12,'4-0-0-0-5-1',698123655,NULL,1.79569602481985950473e+09);
INSERT INTO "trials" VALUES(13,'5-0-4-2-2-2',628388469,NULL,1.79569602948216152198e+09);
INSERT INTO "trials" VALUES(14,'0-0-0-0-0-2',1064319746,NULL,1.7956960295902206898e+09);
INSERT INTO "trials" VALUES(15,'4-2-4-5-0-1',1013809046,NULL,1.79569602985678052897e+09);
COMMIT;
