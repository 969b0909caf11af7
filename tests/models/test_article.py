"""The autoencoder of the TensorFlow article that aerec grew from: what it does there can be done here."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aerec import load_model
from aerec.errors import DataError
from aerec.models import Autoencoder, DenoisingAutoencoder, MultVAE
from aerec.noise import GaussianNoise

DIGITS = StandardScaler().fit_transform(load_digits().data).astype(np.float32)
RECIPE = {
    "hidden": 200,
    "activation": "softplus",
    "noise": GaussianNoise(0.01),
    "likelihood": "gaussian",
    "initialization": "zero-decoder",
    "learning_rate": 0.01,
    "batch_size": 128,
    "epochs": 20,
    "precision": "float32",
    "progress": False,
}


def plain_cost_curve(seed):
    """Return the cost of each epoch of the article's autoencoder in plain PyTorch, as aerec defines the cost."""
    generator = torch.Generator().manual_seed(seed)
    x, (n_rows, n_inputs) = torch.from_numpy(DIGITS), DIGITS.shape
    bound = (6 / (n_inputs + 200)) ** 0.5
    encoder = (torch.rand(n_inputs, 200, generator=generator) * 2 * bound - bound).requires_grad_()
    encoder_bias = torch.zeros(200, requires_grad=True)
    decoder = torch.zeros(200, n_inputs, requires_grad=True)
    decoder_bias = torch.zeros(n_inputs, requires_grad=True)
    optimizer = torch.optim.Adam([encoder, encoder_bias, decoder, decoder_bias], lr=0.01)
    costs = []
    for _ in range(20):
        total = 0.0
        for chosen in torch.randperm(n_rows, generator=generator).split(128):
            batch = x[chosen]
            noisy = batch + 0.01 * torch.randn(batch.shape, generator=generator)
            code = torch.nn.functional.softplus(noisy @ encoder + encoder_bias)
            reconstruction = code @ decoder + decoder_bias
            cost = 0.5 * (reconstruction - batch).square().sum(dim=1).mean()
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            total += float(cost.detach()) * len(batch)
        costs.append(total / n_rows)
    return np.array(costs)


def test_the_cost_curve_is_that_of_plain_pytorch_within_the_noise_of_seeds():
    seeds = range(5)
    plain = np.log([plain_cost_curve(seed) for seed in seeds])
    ours = np.log([Autoencoder(**RECIPE, seed=seed).fit(DIGITS).history_["cost"] for seed in seeds])
    spread = np.sqrt((plain.var(axis=0, ddof=1) + ours.var(axis=0, ddof=1)) / len(seeds))
    # five standard errors of the difference of means, and 1 % where seeds hardly matter
    assert (np.abs(plain.mean(axis=0) - ours.mean(axis=0)) < 5 * spread + 0.01).all()
    assert plain[:, -1].max() < plain[:, 0].min() - 2  # the cost fell by a factor of 7 and more


def quick(**changes):
    return Autoencoder(**{**RECIPE, "hidden": 12, "epochs": 2, **changes})


# ---------------------------------------------------------------------- optimizers


@pytest.mark.parametrize("choice", ["adam", "adamw", "sgd", "adagrad", torch.optim.RMSprop, "NAdam"])
def test_an_optimizer_is_saved_by_its_name_and_goes_on(choice, tmp_path):
    model = quick(optimizer=choice, learning_rate=1e-3).fit(DIGITS)
    assert model.history_["cost"].is_monotonic_decreasing
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.optimizer == (choice if isinstance(choice, str) else "RMSprop")
    np.testing.assert_array_equal(loaded.transform(DIGITS), model.transform(DIGITS))
    assert len(loaded.partial_fit(DIGITS).history_) == 3


@pytest.mark.parametrize("choice", ["sgd", torch.optim.RMSprop])
def test_a_training_with_another_optimizer_resumes_from_its_checkpoint(choice, tmp_path):
    whole = quick(optimizer=choice, learning_rate=1e-3).fit(DIGITS)
    quick(optimizer=choice, learning_rate=1e-3).fit(DIGITS, checkpoint=tmp_path)
    resumed = quick(optimizer=choice, learning_rate=1e-3).fit(DIGITS, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.coefs_[0], whole.coefs_[0])
    assert resumed.partial_fit(DIGITS).history_["cost"].iloc[-1] == whole.partial_fit(DIGITS).history_["cost"].iloc[-1]


@pytest.mark.parametrize("choice", ["adma", torch.optim.LBFGS, int, 3])
def test_what_is_no_optimizer_is_refused(choice):
    with pytest.raises(ValueError, match=r"The 'optimizer' parameter of Autoencoder must be one of 'adam', 'adamw'"):
        quick(optimizer=choice).fit(DIGITS)


# ---------------------------------------------------------------------- initial weights


def initial(**changes):
    """Return the weights before any step that matters."""
    return quick(learning_rate=1e-30, epochs=1, hidden=(30, 20), **changes).fit(DIGITS).coefs_


def test_xavier_fills_its_interval_times_the_scale():
    for scale in (1.0, 0.25):
        for weight in initial(initialization="xavier", initialization_scale=scale):
            bound = scale * (6 / sum(weight.shape)) ** 0.5
            assert 0.98 * bound < np.abs(weight).max() <= bound
            assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.1)


def test_orthogonal_weights_have_orthonormal_columns_or_rows():
    for weight in initial(initialization="orthogonal", initialization_scale=2.0):
        gram = weight.T @ weight if weight.shape[0] >= weight.shape[1] else weight @ weight.T
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_a_zero_decoder_begins_at_0_in_its_output_layer_alone():
    *others, output = initial(initialization="zero-decoder")
    assert np.abs(output).max() < 1e-20
    assert all(np.abs(weight).max() > 0.1 for weight in others)
    with pytest.raises(ValueError, match="initialization='zero-decoder' needs a decoder of its own: set tied=False"):
        quick(initialization="zero-decoder", tied=True).fit(DIGITS)


# ---------------------------------------------------------------------- codes


def test_drawn_codes_are_standard_normal_and_repeat_with_the_seed():
    model = quick().fit(DIGITS)
    drawn = model.generate(n=7)
    assert drawn.shape == (7, 64)
    codes = np.random.default_rng(0).standard_normal((7, 12))  # of the model's seed
    np.testing.assert_array_equal(drawn, model.generate(codes))
    np.testing.assert_array_equal(drawn, model.generate(n=7))
    assert not np.array_equal(drawn, model.generate(n=7, seed=1))
    assert model.generate().shape == (1, 64)
    with pytest.raises(ValueError, match="n is a number of rows"):
        model.generate(n=0)


def test_a_variational_code_is_drawn_from_its_prior():
    likes = (np.random.default_rng(0).random((50, 30)) < 0.2).astype(np.float32)
    model = MultVAE(hidden=8, epochs=2, progress=False).fit(likes)
    drawn = model.generate(n=5)
    np.testing.assert_allclose(drawn.sum(axis=1), 1, rtol=1e-5)  # probabilities over items


def test_inverse_transform_is_the_way_back():
    model = make_pipeline(StandardScaler(), quick(noise=GaussianNoise(0.0), activation="identity", epochs=20))
    X = load_digits().data
    back = model.fit(X).inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, model[0].inverse_transform(model[1].reconstruct(model[0].transform(X))), atol=1e-4)


def test_noise_of_scale_0_is_no_noise():
    with_zero, without = (quick(noise=noise).fit(DIGITS) for noise in (GaussianNoise(0.0), None))
    # another stream of random numbers is drawn, but the order of rows has its own
    np.testing.assert_array_equal(with_zero.coefs_[0], without.coefs_[0])


@pytest.mark.parametrize("activation", ["leaky_relu", "elu", "selu", "gelu", "softplus", "relu"])
def test_a_new_activation_learns_and_comes_back(activation, tmp_path):
    model = DenoisingAutoencoder(
        hidden=12, activation=activation, noise=GaussianNoise(0.1), likelihood="gaussian", epochs=3, progress=False
    )
    assert model.fit(DIGITS).history_["cost"].is_monotonic_decreasing
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").transform(DIGITS), model.transform(DIGITS))


def test_lines_of_cost_where_there_is_no_bar(capsys):
    quick(epochs=4, progress=2).fit(DIGITS)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["Autoencoder epoch 2/4", "Autoencoder epoch 4/4"]
    with pytest.raises(ValueError, match="'progress' parameter"):
        quick(progress=-1).fit(DIGITS)


def test_codes_of_another_width_are_refused():
    with pytest.raises((ValueError, DataError), match="a code has 12 units"):
        quick().fit(DIGITS).inverse_transform(np.zeros((2, 5)))
