"""The numbers of an evaluation, one by one: what each says, and what it cannot say.

Read through :func:`kgen.evaluation.report.catalogue.value`.
"""

from kgen.evaluation.report.entry import Entry

VALUES: dict[str, Entry] = {
    "frechet_distance": Entry(
        label="FD-{extractor}",
        group="quality", better="lower", form=".2f", of_features=True,
        reading="How far the generated pictures are from the real ones in what a classifier sees: "
        "in the mean, and in how it varies. Of two equal distributions it is 0, of finite samples "
        "of them the floor.",
        caveat="It does not see mode collapse: a generator that repeats a hundred real pictures "
        "can score better than an honest one. Read it with recall, coverage and duplicates. It "
        "depends on the extractor and on the number of pictures, so it compares at equal ones "
        "only, and never with an FID from elsewhere; a GAN, a VAE and a DDPM may come in another "
        "order by another extractor.",
        source="Heusel et al. (2017), eq. 6, on the features of a classifier",
    ),
    "kernel_distance": Entry(
        label="KD-{extractor}",
        group="quality", better="lower", form=".4f", of_features=True,
        reading="The same question as the Fréchet distance, without the assumption that features "
        "are Gaussian, and without bias at any number of pictures. Around 0 there is no difference "
        "to be found; it can be slightly negative.",
        caveat="As blind to mode collapse as the Fréchet distance. The features are standardised "
        "first, so it is not the KID of other programs.",
        source="Bińkowski et al. (2018); Gretton et al. (2012), eq. 3",
    ),
    "precision": Entry(
        label="precision",
        group="quality", better="higher", form=".3f", of_features=True,
        reading="The share of generated pictures that lie where real ones lie.",
        caveat="Precision alone can call uniform noise good, and blurred pictures better than real "
        "ones: one odd real picture makes a large ball that anything falls into. Believe it only "
        "with density and coverage.",
        source="Kynkäänniemi et al. (2019), eq. 2",
    ),
    "density": Entry(
        label="density",
        group="quality", better="near", target=1.0, form=".3f", of_features=True,
        reading="How many real neighbourhoods a generated picture falls into, where 1 is as many "
        "as a real one. Unlike precision it is not deceived by an odd real picture.",
        caveat="Above 1 is not better than real: pictures then crowd where real ones are most "
        "common, as blurred or averaged ones do.",
        source="Naeem et al. (2020), section 3",
    ),
    "classifier_score": Entry(
        label="CS-{extractor}",
        group="quality", better="higher", form=".2f", of_features=True,
        reading="How sure the classifier is of each picture, and how evenly the classes occur. "
        "From 1 to the number of classes.",
        caveat="It knows nothing of the real pictures: one perfect picture of each class, "
        "repeated, has the best score there is. Above the floor is not better than real.",
        source="Salimans et al. (2016), section 4, with this classifier",
    ),
    "recall": Entry(
        label="recall",
        group="diversity", better="higher", form=".3f", of_features=True,
        reading="The share of real pictures that lie where generated ones lie: how much of the "
        "variety is reached.",
        caveat="Scattered garbage reaches everything: an outlying sample makes a large ball that "
        "real pictures fall into. Read it with coverage.",
        source="Kynkäänniemi et al. (2019), eq. 2",
    ),
    "coverage": Entry(
        label="coverage",
        group="diversity", better="higher", form=".3f", of_features=True,
        reading="The share of real pictures that have a generated one in their neighbourhood. The "
        "hardest number to deceive: noise scores near 0, collapse scores low.",
        caveat="It grows with the number of pictures, and copies of the training pictures score as "
        "well as real ones: look at the memorisation too.",
        source="Naeem et al. (2020), section 3",
    ),
    "nearest_train": Entry(
        label="nearest training picture",
        group="memory", better="near", target=1.0, form=".2f", of_samples=True,
        reading="How near a sample is, pixel by pixel, to its nearest training picture, as a share "
        "of the same for real pictures that were held out. 1 is as near as chance brings real "
        "ones.",
        caveat="Far below 1 is memorisation. Somewhat below 1 is what blurred pictures score, "
        "since an average is near to everything. It is a median: a few copies do not move it.",
        source="Meehan et al. (2020), section 3, reduced to a ratio of medians",
    ),
    "copies": Entry(
        label="copies",
        group="memory", better="lower", form=".1%", of_samples=True,
        reading="The share of samples that are nearer to a training picture than 99 % of real "
        "held-out pictures are. An honest model has about 1 %.",
        caveat="Simple pictures are near to each other by nature: look at the closest pairs before "
        "calling it theft.",
        source="Meehan et al. (2020), section 3, counted below the first percentile",
    ),
    "duplicates": Entry(
        label="duplicates",
        group="memory", better="lower", form=".1%", of_samples=True,
        reading="The share of samples that have a (nearly) equal one among the samples. A model "
        "that repeats itself has few pictures to give.",
        caveat="It grows with the number of samples, as birthdays do in a room.",
        source="Arora et al. (2018), the birthday paradox test",
    ),
    "elbo": Entry(
        label="ELBO",
        group="likelihood", better="higher", form=".1f", unit="nats per picture", noise="deviation",
        bar="probabilistic PCA",
        reading="A lower bound on the log-likelihood of held-out pictures: how little they "
        "surprise the model.",
        caveat="Likelihood and looks are different things: a model can have a good one and draw "
        "badly. Comparable only between decoders of the same likelihood.",
        source="Kingma & Welling (2014), eq. 3",
    ),
    "iwae": Entry(
        label="IWAE bound",
        group="likelihood", better="higher", form=".1f", unit="nats per picture", noise="deviation",
        bar="probabilistic PCA",
        reading="A tighter bound than the ELBO. The gap between the two is what the encoder's "
        "Gaussian misses of the true posterior.",
        caveat="It rises with the number of draws k, so it compares at equal k only.",
        source="Burda et al. (2016), section 3",
    ),
    "bits_per_dim": Entry(
        label="bits per dimension",
        group="likelihood", better="lower", form=".3f", unit="bits", noise="deviation",
        bar="probabilistic PCA",
        reading="The ELBO as a code length: bits per grey value of 8 bits, the unit that "
        "likelihoods of pictures are published in.",
        caveat="A bound on the true number, above it. Most bits describe noise that no one sees.",
        source="Kingma & Welling (2014), eq. 3; Theis et al. (2016) for the unit",
    ),
    "iwae_bits_per_dim": Entry(
        label="bits per dimension, IWAE",
        group="likelihood", better="lower", form=".3f", unit="bits", noise="deviation",
        bar="probabilistic PCA",
        reading="The IWAE bound as a code length.",
        caveat="As of the IWAE bound: it falls with the number of draws k.",
        source="Burda et al. (2016), section 3; Theis et al. (2016) for the unit",
    ),
    "reconstruction_mse": Entry(
        label="reconstruction error",
        group="likelihood", better="lower", form=".4f", unit="mean square per pixel",
        bar="PCA with as many latents",
        reading="How far held-out pictures are from what the model rebuilds of them, of pixels "
        "from 0 to 1.",
        caveat="Only as good as the error of PCA beside it is bad: with as many numbers, PCA does "
        "without a network. It says nothing of samples.",
        source="Baldi & Hornik (1989) for the comparison",
    ),
    "active_units": Entry(
        label="active latents",
        group="latents", better="neither", form=".0f", noise="none",
        reading="How many latents vary with the picture. The others carry nothing.",
        caveat="More is not better by itself: a model may need few. None at all is posterior "
        "collapse, most often a KL that outweighs the reconstruction.",
        source="Burda et al. (2016), section 5.2",
    ),
    "latent_fit": Entry(
        label="misfit of the latents",
        group="latents", better="lower", form=".3f",
        reading="How far the latents of real pictures are from N(0, 1), which samples are drawn "
        "from: the largest gap between the two distribution functions, of the worst latent.",
        caveat="Each latent is looked at alone; together they may misfit where each one fits.",
        source="Kolmogorov-Smirnov; Hoffman & Johnson (2016) for the aggregated posterior",
    ),
    "eps_mse": Entry(
        label="error of the predicted noise",
        group="denoiser", better="lower", form=".4f", unit="mean square",
        bar="the best linear denoiser",
        reading="How far the predicted noise is from the true one, on held-out pictures, averaged "
        "over all timesteps.",
        caveat="An average hides where it fails: see the curve by timestep. Models of different "
        "schedules do not compare by it.",
        source="Ho et al. (2020), eq. 14",
    ),
    "vlb_bits_per_dim": Entry(
        label="bits per dimension, variational bound",
        group="likelihood", better="lower", form=".3f", unit="bits", noise="deviation",
        bar="the best linear denoiser",
        reading="The model as a code: bits per grey value of 8 bits. An upper bound.",
        caveat="Models that draw well often have poor bounds: training weights other timesteps "
        "than the bound does.",
        source="Ho et al. (2020), eq. 5",
    ),
    "d_accuracy_real": Entry(
        label="D on real pictures",
        group="players", better="near", target=0.5, form=".3f",
        reading="The share of held-out real pictures that the discriminator calls real. At the "
        "equilibrium it can only guess.",
        caveat="Far below its share on training pictures, it has learned them by heart. Near 0.5 "
        "may also be a discriminator that is simply weak.",
        source="Goodfellow et al. (2014), proposition 1 and theorem 1",
    ),
    "d_accuracy_fake": Entry(
        label="D on generated pictures",
        group="players", better="near", target=0.5, form=".3f",
        reading="The share of generated pictures that the discriminator calls generated.",
        caveat="Near 1 the generator has lost, and learns little more. It judges this generator "
        "only: it is no measure of quality.",
        source="Goodfellow et al. (2014), proposition 1 and theorem 1",
    ),
    "d_calibration_error": Entry(
        label="calibration error of D",
        group="players", better="lower", form=".3f",
        reading="How far the discriminator's probabilities are from the true shares, on held-out "
        "real and on generated pictures.",
        caveat="A discriminator that judges pairs (relativistic) has its logits moved by the "
        "constant that fits these pictures best.",
        source="Guo et al. (2017), eq. 3",
    ),
    "interpolation_smoothness": Entry(
        label="smoothness of interpolation",
        group="latents", better="higher", form=".3f",
        reading="How evenly the picture changes on the way from one latent to another: the mean "
        "step of a walk by its largest. 1 is even, near 0 a jump from one picture to the next.",
        caveat="Blends of two pictures are as smooth as a real change: look at the walks.",
        source="in place of the path length of Karras et al. (2019), section 4.1",
    ),
}  # fmt: skip
